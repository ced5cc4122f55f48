"""The contract of a gate check, and the lookup that finds every file of this folder.

A check's file defines `CHECK`, one object of its class. To add a check, add a file: nothing else changes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict

from undercard.errors import UnreadableImage
from undercard.requests import Control, Size
from undercard.staging import Staging
from undercard.store import StoredFile

REVISION = 1
"""Raised whenever a check or a threshold changes what the gate says, so that no old verdict is believed."""

Pixels: TypeAlias = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""


Region: TypeAlias = tuple[int, int, int, int]
"""x and y of the upper left corner, width and height, in pixels."""


class Fault(StrEnum):
    """What is wrong with a picture, as far as a better one is made otherwise."""

    NUMERICAL = "numerical failure"
    SOFT = "soft"
    NOISY = "noisy"
    BURNT = "burnt"
    BANDED = "banded"
    TILED = "tiled"
    WRONG_FRAME = "wrong frame"
    WRONG_LIGHT = "wrong light"
    WRONG_COUNT = "wrong count"
    WRONG_POSE = "wrong pose"
    EXTRA_LIMB = "extra limb"
    SWAPPED = "swapped fighters"
    DRIFTED = "drifted fighter"
    NOT_EDITED = "not edited"
    REPEATED = "repeated"
    JUMP = "jump"


class Finding(BaseModel):
    """What one check says of one picture."""

    model_config = ConfigDict(frozen=True)

    check: str
    score: float
    threshold: float
    passed: bool
    cause: str
    """Why it was rejected, in words a director understands, with the figures; empty when it passed."""
    fault: Fault | None = None
    """What kind of cause that is; None when it passed."""
    region: Region | None = None
    """Where in the picture; None for all of it."""


class Verdict(BaseModel):
    """What the gate says of one picture: accepted when every check passed."""

    model_config = ConfigDict(frozen=True)

    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        """Every check passed."""
        return all(finding.passed for finding in self.findings)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong, each fault once, in the order of the checks."""
        return tuple(dict.fromkeys(finding.fault for finding in self.findings if finding.fault is not None))

    @property
    def causes(self) -> tuple[str, ...]:
        """Why it was rejected, one line a failed check."""
        return tuple(finding.cause for finding in self.findings if not finding.passed)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a check may look at."""

    pixels: Pixels
    expected_size: Size
    neighbours: Sequence[Pixels] = ()
    """The keyframes of the same shot that the picture must differ from."""
    before: Pixels | None = None
    """The keyframe before it in the same shot, however that is staged."""
    takes: Sequence[Pixels] = ()
    """Earlier takes of the same keyframe."""
    control: Pixels | None = None
    """The previz frame that it was drawn from; None for the previz itself."""
    references: Sequence[Pixels] = ()
    """Pictures of the fighters that it was given, in the order of the staging."""
    staging: Staging | None = None
    """Who stands where in which colours, under which light."""
    keypoints: Mapping[str, object] | None = None
    """Where the joints should be: the JSON of `previz.maps.keypoints_json`."""
    backend: str = ""
    """What drew it; thresholds may differ by backend."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A stored picture that the gate is to judge."""

    label: str
    """What people call it: `jab-03 take 1`."""
    picture: StoredFile
    neighbour: StoredFile | None
    """The keyframe before it in the same shot, when that is staged otherwise and they must differ."""
    before: StoredFile | None = None
    """The keyframe before it in the same shot, however that is staged."""
    takes: tuple[StoredFile, ...] = ()
    """Earlier takes of the same keyframe."""
    control: Control | None = None
    """What it was drawn from, or to be measured against."""
    references: tuple[StoredFile, ...] = ()
    """Pictures of the fighters that it was given, in the order of the staging."""
    staging: Staging | None = None
    backend: str = ""


class Check(Protocol):
    """One reason to reject a picture."""

    name: str
    cost: float
    """Seconds at 1024×1024 on one core; cheap checks run first."""

    def examine(self, evidence: Evidence) -> Finding:
        """Judge the picture."""


def checks() -> tuple[Check, ...]:
    """Import and return every check, cheapest first."""
    # What begins with an underscore helps several checks and is none.
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    found: list[Check] = [importlib.import_module(f"{__name__}.{name}").CHECK for name in names]
    return tuple(sorted(found, key=lambda check: (check.cost, check.name)))


def judge(evidence: Evidence) -> Verdict:
    """Run every check over *evidence*."""
    return Verdict(findings=tuple(check.examine(evidence) for check in checks()))


def judge_exhibit(exhibit: Exhibit, expected_size: Size) -> Verdict:
    """Judge a stored picture, which should have *expected_size* (width, height) pixels.

    Raises:
        UnreadableImage: it or its neighbour cannot be decoded.
    """
    neighbour = exhibit.neighbour
    neighbours = [] if neighbour is None else [_read(neighbour.absolute)]
    evidence = Evidence(
        pixels=_read(exhibit.picture.absolute),
        expected_size=expected_size,
        neighbours=neighbours,
        staging=exhibit.staging,
        backend=exhibit.backend,
    )
    return judge(evidence)


def _read(path: Path) -> Pixels:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as exc:
        raise UnreadableImage(f"{path} cannot be read as a picture: {exc}; make it again") from exc

"""The contract of a gate check, and the lookup that finds every file of this folder.

A check's file defines `CHECK`, one object of its class. To add a check, add a file: nothing else changes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict

from undercard.errors import UnreadableImage
from undercard.requests import Size
from undercard.store import StoredFile

REVISION = 1
"""Raised whenever a check or a threshold changes what the gate says, so that no old verdict is believed."""

Pixels: TypeAlias = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""


class Finding(BaseModel):
    """What one check says of one picture."""

    model_config = ConfigDict(frozen=True)

    check: str
    score: float
    threshold: float
    passed: bool
    cause: str
    """Why it was rejected, in words a director understands, with the figures; empty when it passed."""


class Verdict(BaseModel):
    """What the gate says of one picture: accepted when every check passed."""

    model_config = ConfigDict(frozen=True)

    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        """Every check passed."""
        return all(finding.passed for finding in self.findings)

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


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A stored picture that the gate is to judge."""

    label: str
    """What people call it: `jab-03 take 1`."""
    picture: StoredFile
    neighbour: StoredFile | None
    """The keyframe before it in the same shot, when that is staged otherwise and they must differ."""


class Check(Protocol):
    """One reason to reject a picture."""

    name: str
    cost: float
    """Seconds at 1024×1024 on one core; cheap checks run first."""

    def examine(self, evidence: Evidence) -> Finding:
        """Judge the picture."""


def checks() -> tuple[Check, ...]:
    """Import and return every check, cheapest first."""
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    found: list[Check] = [module.CHECK for module in modules]
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
    return judge(Evidence(_read(exhibit.picture.absolute), expected_size, neighbours))


def _read(path: Path) -> Pixels:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as exc:
        raise UnreadableImage(f"{path} cannot be read as a picture: {exc}; make it again") from exc

"""What to render and what came of it: RenderRequest and its key, Control, Attempt, Repair, Take."""

from __future__ import annotations

import hashlib
import json
from dataclasses import Field as DataclassField
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from undercard.staging import Staging
from undercard.store import StoredFile

Size: TypeAlias = tuple[int, int]
"""(width, height) in pixels."""
SEED_LIMIT = 2**31
"""Seeds of takes are below it, and those of the pictures that takes are drawn from are not: a model that begins with
the noise of its own reference tends to give that back."""

MOST_STEPS = 8
"""The longer of the two schedules that Lightning was distilled for."""


class Control(BaseModel):
    """The previz of one keyframe: the picture and the maps that a diffusion model follows."""

    model_config = ConfigDict(frozen=True)

    key: str
    """The key of the request whose picture `frame` is."""
    frame: StoredFile
    """RGB PNG: what the previz renderer sees."""
    depth: StoredFile
    """16-bit grey PNG: nearer is brighter, nothing is 0."""
    normals: StoredFile
    """RGB PNG: camera-space normals, x right, y up, z to the camera, 0…255 for -1…1."""
    skeleton: StoredFile
    """RGB PNG: OpenPose's 18 joints and 17 limbs in its colours."""
    keypoints: StoredFile
    """JSON: COCO's 17 joints a fighter, in pixels, with what hides them."""
    seconds: float
    """How long drawing and storing them took."""


class Sheet(BaseModel):
    """A fighter's character sheet, which a model knows him by where the user has no picture of him."""

    model_config = ConfigDict(frozen=True)

    key: str
    """The key of the request whose picture it is."""
    fighter: str
    """His id in the cast."""
    picture: StoredFile
    """RGB PNG."""
    seconds: float
    """How long drawing and storing it took."""


LATER = "came later"
"""Marks a field of a request that earlier releases did not have: at its default it is in no key, so that what was
rendered before stands."""


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One picture to render; everything that decides its pixels and nothing else."""

    prompt: str
    negative_prompt: str
    seed: int
    size: Size
    staging: Staging
    renderer: str
    """What draws it, as far as that changes the pixels: `previz 1`, or a model's recipe, with the backend's name where
    its pixels are not exact."""
    control: str = ""
    """SHA-256 of the control image; empty for a backend that follows the staging itself."""
    references: tuple[str, ...] = ()
    """SHA-256 of each reference image, in the model's order."""
    steps: int = field(default=0, metadata={LATER: True})
    """Denoising steps; 0 for as many as the settings say. Only for a backend that heeds it."""
    whole: bool = field(default=False, metadata={LATER: True})
    """Decode the picture in one piece, whatever that takes. Only for a backend that heeds it."""

    @property
    def key(self) -> str:
        """SHA-256 of the request's canonical JSON, in hexadecimal."""
        return _request_key(self)


# A run asks for the same keys many times over; working one out takes 2 ms.
@lru_cache(maxsize=8192)
def _request_key(request: RenderRequest) -> str:
    return content_key(request)


def content_key(content: object) -> str:
    """Return the SHA-256 of *content*'s canonical JSON, in hexadecimal; equal contents have equal keys.

    Raises:
        TypeError: *content* holds something that JSON has no form for.
        ValueError: *content* holds a number that is not finite.
    """
    canonical = json.dumps(
        _canonical(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _canonical(content: object) -> object:
    """Write records as objects, and whole numbers as integers: 35 equals 35.0, but their JSON does not."""
    if isinstance(content, float):
        return int(content) if content.is_integer() else content
    if is_dataclass(content) and not isinstance(content, type):
        return {each.name: _canonical(getattr(content, each.name)) for each in fields(content) if _said(content, each)}
    if isinstance(content, dict):
        return {name: _canonical(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_canonical(value) for value in content]
    return content


def _said(content: object, each: DataclassField[Any]) -> bool:
    return LATER not in each.metadata or getattr(content, each.name) != each.default


Outcome: TypeAlias = Literal["rendered", "out of memory", "host memory", "device busy", "device fault", "failed"]
"""What came of an attempt: a picture, one of the four causes that another rung may help, or any other error."""


class Attempt(BaseModel):
    """One try to render a keyframe, whatever came of it."""

    model_config = ConfigDict(frozen=True)

    rung: str
    """The label of the rung it was tried on."""
    backend: str
    exact: bool
    """The rung would have given the pixels of bf16 Qwen-Image-Edit."""
    outcome: Outcome
    sparing: bool = False
    """The rung takes as little of the card as can be, and decodes in tiles."""
    tiled: bool = False
    """This picture was decoded in tiles, whatever its rung does as a rule."""
    stage: str = ""
    """Where it ended, when it failed: `open`, `encode`, `denoise`, `decode`."""
    seconds: float = Field(default=0.0, ge=0.0)
    peak_vram_bytes: int = Field(default=0, ge=0)
    """0 when unknown, as that of a process that was killed."""
    peak_host_bytes: int = Field(default=0, ge=0)
    detail: str = ""
    """The error's message, or what went otherwise than planned."""


class Remedy(StrEnum):
    """What is done otherwise, so that the next take may be better."""

    HIGHER_PRECISION = "higher precision"
    DECODED_WHOLE = "decoded whole"
    MORE_STEPS = "more steps"
    NEW_SEED = "new seed"
    RENDERED_AGAIN = "rendered again"
    STRONGER_CONTROL = "stronger control image"
    OTHER_CONTROL = "other control image"
    REWORDED = "reworded"
    ANCHORED = "re-anchored"
    NEIGHBOURS_SEED = "neighbour's seed"
    NEIGHBOUR_SHOWN = "neighbour shown"


class Repair(BaseModel):
    """One thing that is done otherwise than planned, and why."""

    model_config = ConfigDict(frozen=True)

    remedy: Remedy
    detail: str = ""
    """Which of its kind, such as `depth` or `seed 3`."""
    fault: str = ""
    """What the gate called the fault; empty where it named none."""
    cause: str = ""
    """The gate's words."""
    after: int = Field(default=0, ge=0)
    """The number of the take that had the fault."""

    def __str__(self) -> str:
        return f"{self.remedy}: {self.detail}" if self.detail else str(self.remedy)


class Approach(BaseModel):
    """How a take is made: its seed, and what is done otherwise than planned."""

    model_config = ConfigDict(frozen=True)

    draw: int = Field(default=0, ge=0)
    """Which of its shot's seeds it has, from 1; 0 for that of its number, as all takes had that knew no repairs."""
    repairs: tuple[Repair, ...] = ()
    """In force, oldest first; what mended one fault stays when another is found."""
    neighbour: StoredFile | None = None
    """The picture of the keyframe before it, where it is drawn after that as well."""


class Take(BaseModel):
    """A rendered keyframe."""

    model_config = ConfigDict(frozen=True)

    key: str
    """The key of the request it answers."""
    number: int
    """From 1; a take that the gate rejects is followed by the next."""
    backend: str
    picture: StoredFile
    control: Control
    """What it was drawn from, or to be measured against."""
    sheets: tuple[Sheet, ...] = ()
    """Of the fighters that it was drawn after, where the user has no picture of them."""
    seconds: float
    """How long its picture took to render, whenever that was."""
    rung: str = ""
    """The label of the rung that rendered it; empty in the records of releases that knew no rungs."""
    exact: bool = False
    """Its pixels are those of bf16 Qwen-Image-Edit."""
    attempts: tuple[Attempt, ...] = ()
    """Every try since the take before it, in order; the last one made the picture."""
    approach: Approach = Approach()

    @property
    def draw(self) -> int:
        """Which of its shot's seeds it has, from 1."""
        return self.approach.draw or self.number

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was done for this take that was not for the one before."""
        last = max((repair.after for repair in self.approach.repairs), default=0)
        return tuple(repair for repair in self.approach.repairs if repair.after == last == self.number - 1)

    @property
    def detours(self) -> tuple[Attempt, ...]:
        """The attempts that failed before the picture came."""
        return tuple(attempt for attempt in self.attempts if attempt.outcome != "rendered")

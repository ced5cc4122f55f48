"""Takes: what rendering a keyframe gave, every attempt at it, and what repairs it was made with."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from undercard.domain.requests import Control, Sheet
from undercard.store import StoredFile

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

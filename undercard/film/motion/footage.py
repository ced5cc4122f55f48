"""Footage: the stills of a shot, and which of its frames are wanted of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from undercard.domain.requests import Size
from undercard.errors import BadInput
from undercard.film.base.pixels import Pixels
from undercard.film.base.timing import REAL_TIME, Moment, Timing
from undercard.film.motion.reel import Reel

Draw: TypeAlias = Callable[[Moment], Pixels]
"""Draw one moment of the shot's action: RGB, uint8, shape (height, width, 3) of the film's size."""


@dataclass(frozen=True, slots=True)
class Still:
    """A keyframe's picture."""

    frame: int
    """The frame of the shot's action that it falls on."""
    path: Path


@dataclass(frozen=True, slots=True)
class Footage:
    """Frames [start, stop) of a shot, and what they are made from."""

    stills: tuple[Still, ...]
    """In the order in which they fall."""
    size: Size
    frame_count: int
    """Of the whole shot."""
    draw: Draw | None
    start: int
    stop: int
    timing: Timing = REAL_TIME
    reels: tuple[Reel | None, ...] = ()
    """For `clip`: what a video model made between each still and the next; None where both are one picture."""

    def __post_init__(self) -> None:
        if not self.stills:
            raise BadInput("a shot without a still cannot be filmed; give it at least one keyframe")
        falls = [still.frame for still in self.stills]
        beyond = self.timing.real and falls[-1] >= self.frame_count
        if falls != sorted(set(falls)) or falls[0] < 0 or beyond:
            raise BadInput(f"keyframes fall on frames {falls}; they must rise within 0…{self.frame_count - 1}")
        if not 0 <= self.start <= self.stop <= self.frame_count:
            raise BadInput(f"frames {self.start}…{self.stop} do not lie within 0…{self.frame_count}")

    def index_at(self, moment: Moment) -> int:
        """Return the index of the still that shows at *moment*: the last to have fallen, or the first."""
        return max(0, bisect_right(self.stills, moment, key=lambda still: still.frame) - 1)

    def share(self, frame: int) -> float:
        """Return how far through the shot *frame* is, in 0…1."""
        return frame / max(1, self.frame_count - 1)

    def between(self, frame: int) -> tuple[Still, Still, float]:
        """Return the stills on either side of what *frame* shows, and how far it is from the one to the other."""
        moment = self.timing.moment(frame)
        index = self.index_at(moment)
        here, after = self.stills[index], self.stills[min(index + 1, len(self.stills) - 1)]
        if here == after or moment <= here.frame:
            return here, here, 0.0
        return here, after, float((moment - here.frame) / (after.frame - here.frame))

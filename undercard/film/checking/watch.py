"""What the eye would notice: pictures that are black, that stand still or that flash where nothing asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.domain.requests import Size
from undercard.film.base.pixels import Pixels

Look: TypeAlias = NDArray[np.float32]
"""Luma of a frame at points on a grid, in code values of limited range: 16 is black, 235 white."""
COLUMNS, ROWS = 64, 36
BLACK = 22.0
"""What encoding leaves of black, and no more. A dark arena is far above, and so is any letter on a black card."""
LIT_SHARE = 0.002
"""Share of the points that may be above without the frame being any less black: noise."""
STILL = 0.02
"""Mean difference of two frames below which an eye sees one picture; an encoder's own noise is about that."""
FLASH = 60.0
"""Rise and fall of the mean luma, within `FLASH_FRAMES`, that no punch makes."""
FLASH_FRAMES = 2
UNLIKE = 8.0
"""Mean difference between a drawn frame and its decoded self. At x264's rate factor 17 noise itself stays below 4."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a piece of the film may and must show."""

    moves: tuple[tuple[int, int], ...] = ()
    """Stretches of its frames [start, stop) through which every picture differs from the one before."""
    black: bool = False
    """It passes through black."""
    flashes: bool = False
    """It passes through a flash."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that should not be seen."""

    frame: int
    """Where it begins, counted from the piece's first frame."""
    what: str


class Watch:
    """Looks on while frames pass."""

    def __init__(self, size: Size) -> None:
        self.looks: list[Look] = []
        self._points = points(size)

    def over(self, frames: Iterable[Pixels]) -> Iterator[Pixels]:
        """Yield *frames* as they come and keep a look at each."""
        rows, columns = self._points
        for frame in frames:
            seen = frame[rows[:, None], columns].astype(np.float32)
            # BT.709, limited range, as `ffmpeg.encode_command` converts.
            luma = 16.0 + (219.0 / 255.0) * (seen @ np.array([0.2126, 0.7152, 0.0722], np.float32))
            self.looks.append(luma.astype(np.float32))
            yield frame


def is_black(look: Look) -> bool:
    """Say whether a frame that looks like *look* is black."""
    return float((look > BLACK).mean()) <= LIT_SHARE


def points(size: Size) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and the columns of a frame of *size* that a look takes."""
    rows = ((np.arange(ROWS) + 0.5) * size[1] / ROWS).astype(np.intp)
    columns = ((np.arange(COLUMNS) + 0.5) * size[0] / COLUMNS).astype(np.intp)
    return rows, columns


def faults(looks: Sequence[Look], expected: Expected, fps: Fraction) -> Iterator[Fault]:
    """Yield what is wrong with frames that look like *looks*."""
    if not expected.black:
        yield from _black(looks)
    if not expected.flashes:
        yield from _flashes(looks)
    for start, stop in expected.moves:
        yield from _frozen(looks, start, min(stop, len(looks)), max(2, round(fps)))


def unlike(drawn: Sequence[Look], decoded: Sequence[Look]) -> Iterator[Fault]:
    """Yield the frames that do not decode to what was drawn."""
    for frame, (wanted, found) in enumerate(zip(drawn, decoded, strict=True)):
        if (difference := float(np.abs(wanted - found).mean())) > UNLIKE:
            yield Fault(frame, f"decodes to another picture than was drawn, {difference:.0f} of 219 steps of luma off")


def step_fault(before: tuple[float, float], after: tuple[float, float]) -> float | None:
    """Return how far the mean luma jumps at a seam that should be smooth, or None where it goes on as it went.

    Args:
        before: mean luma of the last frame but one and of the last before the seam.
        after: of the first and of the second after it.
    """
    step = abs(after[0] - before[1])
    usual = max(abs(before[1] - before[0]), abs(after[1] - after[0]))
    return step if step > 6.0 + 2.0 * usual else None


def _black(looks: Sequence[Look]) -> Iterator[Fault]:
    for start, stop in _runs([is_black(look) for look in looks]):
        yield Fault(start, f"{stop - start} black frame{'s' if stop - start > 1 else ''}")


def _flashes(looks: Sequence[Look]) -> Iterator[Fault]:
    means = [float(look.mean()) for look in looks]
    frame = 1
    while frame < len(means) - 1:
        for length in range(1, FLASH_FRAMES + 1):
            if frame + length >= len(means):
                break
            inside, outside = means[frame : frame + length], (means[frame - 1], means[frame + length])
            if min(inside) - max(outside) > FLASH or min(outside) - max(inside) > FLASH:
                yield Fault(frame, f"a flash of {length} frame{'s' if length > 1 else ''}")
                frame += length
                break
        frame += 1


def _frozen(looks: Sequence[Look], start: int, stop: int, longest: int) -> Iterator[Fault]:
    still = [
        frame > start and float(np.abs(looks[frame] - looks[frame - 1]).mean()) <= STILL for frame in range(start, stop)
    ]
    for first, last in _runs(still):
        if last - first >= longest:
            yield Fault(start + first - 1, f"a picture that stands for {last - first + 1} frames where it should move")


def _runs(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    start: int | None = None
    for index, flag in enumerate([*flags, False]):
        if flag and start is None:
            start = index
        elif not flag and start is not None:
            yield start, index
            start = None

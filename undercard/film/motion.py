"""Motions: how the stills of a shot become its frames. To add one, write a function and its row in `MOTIONS`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from undercard.errors import BadInput, FilmError
from undercard.film.pixels import Pixels, mix
from undercard.film.stills import fitted, fitted_opener, opener
from undercard.requests import Size

Draw: TypeAlias = Callable[[int], Pixels]
"""Draw one frame of the shot: RGB, uint8, shape (height, width, 3) of the film's size."""

PUSH = 0.12
"""How much a push-in enlarges the picture by its end. Enough to be felt over 3 s, and a still of the film's own size
stays sharp."""


@dataclass(frozen=True, slots=True)
class Still:
    """A keyframe's picture."""

    frame: int
    """The frame of the shot that it falls on."""
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

    def __post_init__(self) -> None:
        if not self.stills:
            raise BadInput("a shot without a still cannot be filmed; give it at least one keyframe")
        falls = [still.frame for still in self.stills]
        if falls != sorted(set(falls)) or falls[0] < 0 or falls[-1] >= self.frame_count:
            raise BadInput(f"keyframes fall on frames {falls}; they must rise within 0…{self.frame_count - 1}")
        if not 0 <= self.start <= self.stop <= self.frame_count:
            raise BadInput(f"frames {self.start}…{self.stop} do not lie within 0…{self.frame_count}")

    def index_at(self, frame: int) -> int:
        """Return the index of the still that shows on *frame*: the last to have fallen, or the first."""
        return max(0, bisect_right(self.stills, frame, key=lambda still: still.frame) - 1)


@dataclass(frozen=True, slots=True)
class Motion:
    """A row of the table."""

    about: str
    """One line for people who write shot lists."""
    shoot: Callable[[Footage], Iterator[Pixels]]
    draws: Callable[[Sequence[int], int, int], tuple[int, ...]] | None = None
    """(frames on which keyframes fall, start, stop) → the frames it draws; None for a motion that draws none."""


def frames(
    motion: str,
    stills: Sequence[Still],
    size: Size,
    frame_count: int,
    draw: Draw | None,
    start: int,
    stop: int,
) -> Iterator[Pixels]:
    """Yield frames [*start*, *stop*) of a shot: RGB, uint8, shape (height, width, 3).

    The same frame comes out alike whatever range it is asked for in. A still of another shape than the film is
    cropped around its centre.

    Args:
        motion: a name in `MOTIONS`.
        stills: the keyframes' pictures, in the order in which they fall.
        size: of the film.
        frame_count: length of the whole shot.
        draw: draws the frames that `drawn_frames` names; None where the backend cannot animate.
        start: the first frame.
        stop: the frame after the last.

    Raises:
        BadInput: no such motion, or frames that the shot has not.
        UnreadableImage: a still cannot be decoded.
        FilmError: *draw* returned something else than a frame of the film.
    """
    return motion_kind(motion).shoot(Footage(tuple(stills), size, frame_count, draw, start, stop))


def drawn_frames(motion: str, keyframes: Sequence[int], start: int, stop: int) -> tuple[int, ...]:
    """Return which frames `frames` asks `draw` for, in order, none twice.

    Args:
        motion: a name in `MOTIONS`.
        keyframes: the frames on which keyframes fall, rising.
        start: the first frame.
        stop: the frame after the last.

    Raises:
        BadInput: no such motion.
    """
    draws = motion_kind(motion).draws
    return draws(keyframes, start, stop) if draws else ()


def hold(footage: Footage) -> Iterator[Pixels]:
    """Show each still, unmoving, until the next one falls."""
    return _zoom(footage, lambda _: 1.0)


def push_in(footage: Footage) -> Iterator[Pixels]:
    """Enlarge the picture slowly over the whole shot; the stills change underneath."""
    return _zoom(footage, lambda t: 1.0 + PUSH * ease(t))


def pull_out(footage: Footage) -> Iterator[Pixels]:
    """Start close and widen slowly to the whole picture."""
    return _zoom(footage, lambda t: 1.0 + PUSH * (1.0 - ease(t)))


def pose(footage: Footage) -> Iterator[Pixels]:
    """Animate on twos: keyframes as they are, and every other frame between them drawn and held for two.

    Frames 2k and 2k + 1 are a pair and show one picture. The pair that a keyframe falls in shows its still from the
    pair's start, and nothing is drawn for it. Before the first keyframe and after the last the pose does not
    change: their stills hold. Without `draw` the stills crossfade, frame by frame.

    A range that begins or ends inside a pair draws it all the same: the two pieces on either side of such a seam
    each draw that one frame.
    """
    if footage.draw is None:
        return _crossfaded(footage)
    return _drawn_on_twos(footage, footage.draw)


def pose_draws(keyframes: Sequence[int], start: int, stop: int) -> tuple[int, ...]:
    """Return the even frames that `pose` draws."""
    taken = {frame // 2 for frame in keyframes}
    if not taken or start >= stop:
        return ()
    first, last = min(taken), max(taken)
    pairs = range(max(start // 2, first + 1), min((stop + 1) // 2, last))
    return tuple(2 * pair for pair in pairs if pair not in taken)


MOTIONS: dict[str, Motion] = {
    "hold": Motion("each still stands until the next one falls", hold),
    "push_in": Motion("the camera closes in slowly (ken burns)", push_in),
    "pull_out": Motion("the camera starts close and widens slowly", pull_out),
    "pose": Motion("the fighters move from keyframe to keyframe, drawn on twos", pose, pose_draws),
}


def motion_kind(name: str) -> Motion:
    """Return the motion called *name*.

    Raises:
        BadInput: there is no such motion.
    """
    if name not in MOTIONS:
        raise BadInput(f"motion {name!r} does not exist; use one of {', '.join(MOTIONS)}")
    return MOTIONS[name]


def ease(t: float) -> float:
    """Return Perlin's smootherstep of *t* in 0…1: speed and acceleration are 0 at both ends.

    Source: Ken Perlin, "Improving Noise", SIGGRAPH 2002: 6t⁵ - 15t⁴ + 10t³.
    """
    return t * t * t * (t * (t * 6.0 - 15.0) + 10.0)


def _zoom(footage: Footage, magnification: Callable[[float], float]) -> Iterator[Pixels]:
    """Yield the stills seen through a centred window that is 1 / *magnification*(time in 0…1) of the picture."""
    picture = opener()
    shown: tuple[int, float] | None = None
    pixels = np.empty(0, np.uint8)
    for frame in range(footage.start, footage.stop):
        look = (footage.index_at(frame), magnification(frame / max(1, footage.frame_count - 1)))
        if look != shown:
            pixels = fitted(picture(footage.stills[look[0]].path), footage.size, look[1])
            shown = look
        yield pixels


def _crossfaded(footage: Footage) -> Iterator[Pixels]:
    still = fitted_opener(footage.size)
    for frame in range(footage.start, footage.stop):
        index = footage.index_at(frame)
        here, after = footage.stills[index], footage.stills[min(index + 1, len(footage.stills) - 1)]
        if here == after or frame <= here.frame:
            yield still(here.path)
        else:
            t = (frame - here.frame) / (after.frame - here.frame)
            yield mix(still(here.path), still(after.path), t)


def _drawn_on_twos(footage: Footage, draw: Draw) -> Iterator[Pixels]:
    still = fitted_opener(footage.size)
    to_draw = set(pose_draws([s.frame for s in footage.stills], footage.start, footage.stop))
    held: tuple[int, Pixels] | None = None
    for frame in range(footage.start, footage.stop):
        even = frame - frame % 2
        if even not in to_draw:
            # Of two keyframes in one pair each has its own frame; a lone one has both.
            ahead = footage.stills[footage.index_at(even + 1)]
            here = footage.stills[footage.index_at(frame)]
            yield still((here if here.frame >= even else ahead).path)
            continue
        if held is None or held[0] != even:
            held = even, _checked(draw(even), even, footage.size)
        yield held[1]


def _checked(pixels: Pixels, frame: int, size: Size) -> Pixels:
    shape = (size[1], size[0], 3)
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise FilmError(f"frame {frame} was drawn as {pixels.dtype} {pixels.shape}; the film needs uint8 {shape}")
    return pixels

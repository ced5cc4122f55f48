"""Motions: how the stills of a shot become its frames. To add one, write a function and its row in `MOTIONS`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TypeAlias

import numpy as np

from undercard.domain.requests import Size
from undercard.errors import BadInput, FilmError
from undercard.film.base.pixels import Pixels, mix
from undercard.film.base.stills import fitted_opener
from undercard.film.base.timing import REAL_TIME, Moment, Timing
from undercard.film.motion.camera_moves import hold, pan_down, pan_left, pan_right, pan_up, pull_out, push_in
from undercard.film.motion.flow import flow as optical_flow
from undercard.film.motion.footage import Draw, Footage, Still
from undercard.film.motion.reel import Reel, running

CLIP = "clip"
"""The motion that a video model makes."""
Falls: TypeAlias = Sequence[int]
"""The frames of a shot's action on which its keyframes fall, rising."""
Shown: TypeAlias = tuple[str, Moment]
"""`still` and where it falls, or `moment` and which."""


@dataclass(frozen=True, slots=True)
class Motion:
    """A row of the table."""

    about: str
    """One line for people who write shot lists."""
    shoot: Callable[[Footage], Iterator[Pixels]]
    draws: Callable[[Falls, int, int, Timing], tuple[Moment, ...]] | None = None
    """(where keyframes fall, start, stop, timing) → the moments it draws; None for a motion that draws none."""
    shows: Callable[[Falls, Timing, int], Shown] | None = None
    """(where keyframes fall, timing, frame) → what frames with one picture have alike; None where the camera moves."""


def frames(
    motion: str,
    stills: Sequence[Still],
    size: Size,
    frame_count: int,
    draw: Draw | None,
    start: int,
    stop: int,
    timing: Timing = REAL_TIME,
    reels: Sequence[Reel | None] = (),
) -> Iterator[Pixels]:
    """Yield frames [*start*, *stop*) of a shot: RGB, uint8, shape (height, width, 3).

    The same frame comes out alike whatever range it is asked for in. A still of another shape than the film is
    cropped around its centre.

    Args:
        motion: a name in `MOTIONS`.
        stills: the keyframes' pictures, in the order in which they fall.
        size: of the film.
        frame_count: length of the whole shot.
        draw: draws the moments that `drawn_frames` names; None where the backend cannot animate.
        start: the first frame.
        stop: the frame after the last.
        timing: how the action runs; cameras move by the film's own time.
        reels: for `clip`, what was made between each still and the next; None where both are one picture.

    Raises:
        BadInput: no such motion, or frames that the shot has not.
        UnreadableImage: a still cannot be decoded.
        FilmError: *draw* returned something else than a frame of the film, or there is no clip for `clip` to show.
    """
    return motion_kind(motion).shoot(Footage(tuple(stills), size, frame_count, draw, start, stop, timing, tuple(reels)))


def drawn_frames(
    motion: str, keyframes: Falls, start: int, stop: int, timing: Timing = REAL_TIME
) -> tuple[Moment, ...]:
    """Return which moments `frames` asks `draw` for, in order, none twice.

    Args:
        motion: a name in `MOTIONS`.
        keyframes: the frames of the action on which keyframes fall, rising.
        start: the first frame.
        stop: the frame after the last.
        timing: how the action runs.

    Raises:
        BadInput: no such motion.
    """
    draws = motion_kind(motion).draws
    return draws(keyframes, start, stop, timing) if draws else ()


def repeated_frames(
    motion: str, keyframes: Falls, start: int, stop: int, least: int, timing: Timing = REAL_TIME
) -> int:
    """Return how many frames of [*start*, *stop*) repeat the one before, where a picture stands for *least* frames.

    Raises:
        BadInput: no such motion.
    """
    shows = motion_kind(motion).shows
    if shows is None:
        return 0
    pictures = groupby(shows(keyframes, timing, frame) for frame in range(start, stop))
    stands = [sum(1 for _ in alike) for _, alike in pictures]
    return sum(stand - 1 for stand in stands if stand >= least)


def crossfade(footage: Footage) -> Iterator[Pixels]:
    """Mix each still into the next, frame by frame."""
    still = fitted_opener(footage.size)
    for frame in range(footage.start, footage.stop):
        here, after, t = footage.between(frame)
        yield mix(still(here.path), still(after.path), t) if t else still(here.path)


def flow(footage: Footage) -> Iterator[Pixels]:
    """Move what two stills share from where the one has it to where the next has it."""
    still = fitted_opener(footage.size)
    found = lru_cache(maxsize=1)(lambda here, after: optical_flow(still(here), still(after)))
    for frame in range(footage.start, footage.stop):
        here, after, t = footage.between(frame)
        yield found(here.path, after.path).at(t) if t else still(here.path)


def clip(footage: Footage) -> Iterator[Pixels]:
    """Show each still on its own frame, and between two what a video model made of them."""
    if len(footage.reels) != len(footage.stills) - 1:
        raise FilmError(f"{len(footage.reels)} clips for {len(footage.stills)} keyframes; make the film again")
    still = fitted_opener(footage.size)

    @lru_cache(maxsize=1)
    def made(index: int) -> Callable[[float], Pixels]:
        reel = footage.reels[index]
        here, after = (still(each.path) for each in footage.stills[index : index + 2])
        return running(reel, here, after, footage.size) if reel is not None else lambda _: here

    for frame in range(footage.start, footage.stop):
        here, _, t = footage.between(frame)
        yield made(footage.stills.index(here))(t) if t else still(here.path)


def pose(footage: Footage) -> Iterator[Pixels]:
    """Animate on twos: keyframes as they are, and the moments between them drawn and held for two frames.

    Frames 2k and 2k + 1 are a pair and show one picture. The pair that a keyframe falls in shows its still from the
    pair's start, and nothing is drawn for it. Before the first keyframe and after the last the pose does not
    change: their stills hold. In slow motion moments between the action's own frames are drawn. Without `draw` the
    stills flow into each other, frame by frame.

    A range that begins or ends inside a pair draws it all the same: the two pieces on either side of such a seam
    each draw that one frame.
    """
    if footage.draw is None:
        return flow(footage)
    return _drawn_on_twos(footage, footage.draw)


def pose_draws(keyframes: Falls, start: int, stop: int, timing: Timing = REAL_TIME) -> tuple[Moment, ...]:
    """Return the moments that `pose` draws."""
    pairs = range(start // 2, (stop + 1) // 2) if keyframes and start < stop else range(0)
    moments = (timing.moment(2 * pair) for pair in pairs if not _stills_of(keyframes, timing, 2 * pair))
    return tuple(dict.fromkeys(moments))


def _stills_of(keyframes: Falls, timing: Timing, even: int) -> tuple[int, int] | None:
    """Return which keyframes the two frames of a pair show, as indices; None where neither does and one is drawn."""
    here, after = timing.moment(even), timing.moment(even + 2)
    inside = [index for index, fall in enumerate(keyframes) if here <= fall < after or fall == here]
    if inside:
        # Of two keyframes in one pair each has its own frame; a lone one has both.
        return inside[0], inside[-1]
    if here < keyframes[0]:
        return 0, 0
    if here > keyframes[-1]:
        return len(keyframes) - 1, len(keyframes) - 1
    return None


def _fallen(keyframes: Falls, timing: Timing, frame: int) -> Shown:
    """Tell frames by the still that stands."""
    return "still", keyframes[max(0, bisect_right(keyframes, timing.moment(frame)) - 1)]


def _between(keyframes: Falls, timing: Timing, frame: int) -> Shown:
    """Tell frames by their moment; before the first keyframe falls, and after the last, a still stands."""
    return "moment", min(max(timing.moment(frame), keyframes[0]), keyframes[-1])


def _on_twos(keyframes: Falls, timing: Timing, frame: int) -> Shown:
    """Tell frames by the still that `pose` shows, or the moment that it draws."""
    even = frame - frame % 2
    kept = _stills_of(keyframes, timing, even)
    return ("still", keyframes[kept[frame % 2]]) if kept else ("moment", timing.moment(even))


MOTIONS: dict[str, Motion] = {
    "hold": Motion("each still stands until the next one falls", hold, shows=_fallen),
    "push_in": Motion("the camera closes in slowly (ken burns)", push_in),
    "pull_out": Motion("the camera starts close and widens slowly", pull_out),
    "pan_left": Motion("the camera turns slowly to the left of the picture", pan_left),
    "pan_right": Motion("the camera turns slowly to the right of the picture", pan_right),
    "pan_up": Motion("the camera rises slowly to the top of the picture", pan_up),
    "pan_down": Motion("the camera sinks slowly to the bottom of the picture", pan_down),
    "crossfade": Motion("each still mixes into the next", crossfade, shows=_between),
    "flow": Motion("what two stills share moves from the one to the other (optical flow)", flow, shows=_between),
    CLIP: Motion(
        "a video model makes what happens between keyframes; one has to be set up for it", clip, shows=_between
    ),
    "pose": Motion("the fighters move from keyframe to keyframe, drawn on twos", pose, pose_draws, shows=_on_twos),
}


def motion_kind(name: str) -> Motion:
    """Return the motion called *name*.

    Raises:
        BadInput: there is no such motion.
    """
    if name not in MOTIONS:
        raise BadInput(f"motion {name!r} does not exist; use one of {', '.join(MOTIONS)}")
    return MOTIONS[name]


def _drawn_on_twos(footage: Footage, draw: Draw) -> Iterator[Pixels]:
    still = fitted_opener(footage.size)
    falls = [each.frame for each in footage.stills]
    held: tuple[Moment, Pixels] | None = None
    for frame in range(footage.start, footage.stop):
        even = frame - frame % 2
        kept = _stills_of(falls, footage.timing, even)
        if kept is not None:
            yield still(footage.stills[kept[frame % 2]].path)
            continue
        moment = footage.timing.moment(even)
        if held is None or held[0] != moment:
            held = moment, _checked(draw(moment), moment, footage.size)
        yield held[1]


def _checked(pixels: Pixels, moment: Moment, size: Size) -> Pixels:
    shape = (size[1], size[0], 3)
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise FilmError(f"frame {moment} was drawn as {pixels.dtype} {pixels.shape}; the film needs uint8 {shape}")
    return pixels

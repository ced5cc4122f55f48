"""What a plan takes for repeats is what the frames turn out to repeat, since a repeat is written and not encoded."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.film.footage import SIZE, grey, saved
from undercard.film.base.pixels import Pixels
from undercard.film.base.timing import Freeze, Moment, Speed, Timing
from undercard.film.motion.footage import Still
from undercard.film.motion.motions import CLIP, MOTIONS, frames, repeated_frames

LEAST = 6
FRAMES = 48
TIMINGS = {
    "real time": Timing(),
    "half speed": Timing(0, (Speed(0, Fraction(1, 2)),)),
    "a freeze": Timing(0, (), (Freeze(9, 12),)),
}
MOVING = sorted(set(MOTIONS) - {CLIP})


def _stills(folder: Path, falls: Sequence[int]) -> tuple[Still, ...]:
    noise = [np.random.default_rng(fall).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8) for fall in falls]
    return tuple(Still(fall, saved(folder / f"{fall}.png", pixels)) for fall, pixels in zip(falls, noise, strict=True))


def _drawn(moment: Moment) -> Pixels:
    return grey(round(4 * moment) % 256)


def _repeats(shown: Sequence[Pixels]) -> int:
    """Count the frames that repeat the one before, in stands of LEAST and more."""
    found, stand = 0, 0
    for before, after in [*pairwise(shown), (shown[-1], None)]:
        if after is not None and np.array_equal(before, after):
            stand += 1
            continue
        found += stand if stand + 1 >= LEAST else 0
        stand = 0
    return found


@pytest.mark.parametrize("falls", [(0,), (3, 20, 40)], ids=["one still", "three stills"])
@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("motion", MOVING)
def test_as_many_frames_repeat_as_were_promised(
    motion: str, timing: str, falls: tuple[int, ...], tmp_path: Path
) -> None:
    shown = list(frames(motion, _stills(tmp_path, falls), SIZE, FRAMES, _drawn, 2, FRAMES, TIMINGS[timing]))

    assert repeated_frames(motion, falls, 2, FRAMES, LEAST, TIMINGS[timing]) == _repeats(shown)


def test_a_still_that_is_held_repeats_itself_and_one_that_a_camera_crosses_does_not() -> None:
    held, crossed = (repeated_frames(motion, (0,), 0, FRAMES, LEAST) for motion in ("hold", "pan_left"))

    assert (held, crossed) == (FRAMES - 1, 0)

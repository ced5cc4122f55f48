"""Camera moves over stills: where the window is on the first frame, on the last, and how it gets there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.film.footage import grey, level, saved
from undercard.film.base.pixels import Pixels
from undercard.film.motion.camera_moves import (
    PUSH,
    ease,
    hold,
    pan_down,
    pan_left,
    pan_right,
    pan_up,
    pull_out,
    push_in,
)
from undercard.film.motion.footage import Footage, Still

SIZE = (112, 112)
"""A window of a pan is 100 of it."""
Move = Callable[[Footage], Iterator[Pixels]]


@pytest.fixture
def slope(tmp_path: Path) -> Path:
    """A still that is 2 levels lighter with every column, and 2 levels greener with every row."""
    y, x = np.mgrid[0:112, 0:112]
    return saved(tmp_path / "slope.png", np.stack([2 * x, 2 * y, 0 * x], axis=-1).astype(np.uint8))


def filmed(*stills: Still, frames: int, start: int = 0) -> Footage:
    return Footage(stills, SIZE, frames, None, start, frames)


def looked_at(frame: Pixels) -> tuple[float, float]:
    """Return the column and the row of the slope in the middle of *frame*."""
    return float(frame[..., 0].mean()) / 2, float(frame[..., 1].mean()) / 2


def test_easing_starts_and_stops_without_a_jerk_and_is_the_same_both_ways() -> None:
    # 6t⁵ - 15t⁴ + 10t³ at a quarter is 53/512.
    assert [ease(t) for t in (0.0, 0.25, 0.5, 0.75, 1.0)] == [0.0, 53 / 512, 0.5, 1 - 53 / 512, 1.0]
    # Neither speed nor acceleration at the ends: what is left is of the third order.
    assert ease(0.001) == pytest.approx(10 * 0.001**3, rel=0.01)


# The window is 1 / 1.12 of the picture, 100 of 112 px: its middle lies 6 px before that of the picture, or after it.
@pytest.mark.parametrize(
    ("pan", "first", "last"),
    [
        (pan_left, (61.5, 55.5), (49.5, 55.5)),
        (pan_right, (49.5, 55.5), (61.5, 55.5)),
        (pan_up, (55.5, 61.5), (55.5, 49.5)),
        (pan_down, (55.5, 49.5), (55.5, 61.5)),
    ],
)
def test_a_pan_goes_from_one_edge_of_the_picture_to_the_other(
    slope: Path, pan: Move, first: tuple[float, float], last: tuple[float, float]
) -> None:
    shown = [looked_at(frame) for frame in pan(filmed(Still(0, slope), frames=3))]

    assert shown[0] == pytest.approx(first, abs=0.3)
    assert shown[1] == pytest.approx((55.5, 55.5), abs=0.3)
    assert shown[2] == pytest.approx(last, abs=0.3)


def test_a_push_in_begins_with_the_whole_picture_and_a_pull_out_ends_with_it(slope: Path) -> None:
    footage = filmed(Still(0, slope), frames=9)

    closer, wider = list(push_in(footage)), list(pull_out(footage))

    assert np.array_equal(closer[0], next(hold(footage)))
    assert all(np.array_equal(a, b) for a, b in zip(closer, wider[::-1], strict=True))
    # From edge to edge the last frame has 111 / 1.12 columns of the first.
    spans = [float(frame[56, -1, 0]) - float(frame[56, 0, 0]) for frame in (closer[0], closer[-1])]
    assert spans[0] / spans[1] == pytest.approx(1 + PUSH, abs=0.02)


def test_a_move_goes_on_while_the_stills_change_underneath(tmp_path: Path, slope: Path) -> None:
    dark = saved(tmp_path / "dark.png", grey(7, SIZE))

    shown = list(pan_right(filmed(Still(0, dark), Still(2, slope), frames=3)))

    assert [level(frame) for frame in shown[:2]] == [7, 7]
    assert looked_at(shown[2])[0] == pytest.approx(61.5, abs=0.3)


def test_a_frame_is_the_same_whatever_part_of_the_shot_is_asked_for(slope: Path) -> None:
    still = Still(0, slope)

    whole, part = (list(pull_out(filmed(still, frames=8, start=start))) for start in (0, 5))

    assert all(np.array_equal(a, b) for a, b in zip(part, whole[5:], strict=True))


def test_a_picture_that_stands_is_passed_on_as_one(slope: Path) -> None:
    frames = list(hold(filmed(Still(0, slope), frames=4)))

    assert all(frame is frames[0] for frame in frames)

"""The part of a picture about a fighter, and how places go from the one to the other."""

from __future__ import annotations

import numpy as np
import pytest

from tests.gate.vision.test_adherence import STANDING
from undercard.gate.measures.view import View, view_of
from undercard.gate.vision.adherence import Target
from undercard.gate.vision.networks import Floats


def target(xy: Floats, in_frame: list[int] | None = None) -> Target:
    inside = np.ones(17, bool)
    if in_frame is not None:
        inside[:] = False
        inside[in_frame] = True
    return Target("Mara", xy, inside, inside)


def blank(width: int, height: int) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


# `STANDING` is 200 px tall: from 60 to 135 across, from 15 to 215 down.
def test_a_view_has_three_tenths_of_his_height_about_a_fighter_and_makes_him_112_px_tall() -> None:
    far = (STANDING + 400).astype(np.float32)

    view = view_of(target(far), blank(1000, 1000))

    assert (view.left, view.top, view.right, view.bottom) == pytest.approx((400, 355, 595, 675))
    assert view.scale == pytest.approx(200 / 112)
    assert view.tall == pytest.approx(112)


def test_a_view_ends_with_the_picture() -> None:
    nearer = (STANDING - (20, 0)).astype(np.float32)

    view = view_of(target(nearer), blank(150, 220))

    assert (view.left, view.top, view.right, view.bottom) == (0, 0, 150, 220)


def test_a_small_fighter_is_not_made_larger() -> None:
    view = view_of(target((STANDING / 4).astype(np.float32)), blank(100, 100))

    assert (view.scale, view.tall) == (1.0, 50.0)
    assert view.shown(blank(100, 100)).shape[:2] == (round(view.bottom - view.top), round(view.right - view.left))


def test_a_place_of_the_picture_is_shown_where_the_view_says() -> None:
    pixels = blank(1000, 1000)
    far = (STANDING + 400).astype(np.float32)
    wrist = far[9]
    x, y = (int(value) for value in wrist)
    pixels[y - 6 : y + 7, x - 6 : x + 7] = 255
    view = view_of(target(far), pixels)

    shown = view.shown(pixels)

    rows, columns = np.nonzero(shown[..., 0] > 127)
    (where,) = view.at(wrist[None])
    assert (columns.mean(), rows.mean()) == pytest.approx(where.tolist(), abs=0.6)
    assert shown.shape[:2] == (round(320 / view.scale), round(195 / view.scale))


def test_a_view_has_a_least_size() -> None:
    view = View(10.0, 10.0, 12.0, 40.0, 2.0, 50.0)

    assert view.shown(blank(50, 50)).shape == (15, 8, 3)


@pytest.mark.parametrize(("heights", "side"), [(0.1, 11), (0.11, 13), (0.09, 11), (0.0, 3), (0.02, 3)])
def test_a_square_of_a_share_of_his_height_has_a_middle(heights: float, side: int) -> None:
    assert View(0.0, 0.0, 10.0, 10.0, 1.0, 112.0).odd(heights) == side

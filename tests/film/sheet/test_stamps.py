"""Dots and film holes: smooth at their edges, in their colour, transparent around."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from undercard.film.sheet.stamps import dot_stamp, hole_stamp


def cover(stamp: Image.Image) -> np.ndarray:
    """Return how much of each pixel *stamp* hides, 0…1."""
    return np.asarray(stamp.getchannel("A"), np.float64) / 255.0


@pytest.mark.parametrize("diameter", [5, 12, 31])
def test_a_dot_covers_the_area_of_a_disc(diameter: int) -> None:
    stamp = dot_stamp(diameter, "#d9b25f")

    assert stamp.size == (diameter, diameter)
    assert cover(stamp).sum() == pytest.approx(math.pi * diameter**2 / 4, rel=0.02)


def test_a_dot_is_round_and_smooth_and_keeps_its_colour_to_the_edge() -> None:
    stamp = dot_stamp(12, "#d9b25f")
    hidden = cover(stamp)

    assert np.array_equal(hidden, hidden.T)
    assert np.array_equal(hidden, hidden[::-1])
    assert (hidden[0, 0], hidden[6, 6]) == (0.0, 1.0)
    assert len(np.unique(hidden)) > 4
    assert (np.asarray(stamp)[..., :3] == (0xD9, 0xB2, 0x5F)).all()


def test_a_hole_is_a_rectangle_whose_corners_are_rounded_by_three_tenths_of_its_height() -> None:
    stamp = hole_stamp((20, 10))
    hidden = cover(stamp)

    assert stamp.size == (20, 10)
    assert (hidden[:, 3:-3] == 1.0).all()
    assert (hidden[3:-3] == 1.0).all()
    assert hidden[0, 0] < 0.1
    # Four corners lack what a square has over a quarter disc.
    assert hidden.sum() == pytest.approx(200 - (4 - math.pi) * 3.0**2, rel=0.01)

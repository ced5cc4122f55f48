"""What is printed on canvas and skirt, and its smaller copies."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from undercard.previz import paint
from undercard.previz.paint import CANVAS_PX, SKIRT_PX, Pyramid
from undercard.previz.ring import PLATFORM_HALF


def levels(pyramid: Pyramid) -> list[np.ndarray]:
    return [
        pyramid.texels[start : start + width * height].reshape(height, width, 3)
        for start, width, height in pyramid.starts.tolist()
    ]


def colour_at(x: float, z: float) -> list[float]:
    """Return the canvas's mean colour within 5 cm of a place in the ring, metres."""
    metre = CANVAS_PX / (2.0 * PLATFORM_HALF)
    column, row, reach = (int(value * metre) for value in (x + PLATFORM_HALF, z + PLATFORM_HALF, 0.05))
    patch = levels(paint.canvas())[0][row - reach : row + reach, column - reach : column + reach]
    return [float(value) for value in patch.reshape(-1, 3).mean(axis=0)]


@pytest.mark.parametrize(
    ("draw", "size"), [(paint.canvas, (CANVAS_PX, CANVAS_PX)), (paint.skirt, SKIRT_PX)], ids=["canvas", "skirt"]
)
def test_each_copy_has_half_the_size_and_the_same_mean_colour(
    draw: Callable[[], Pyramid], size: tuple[int, int]
) -> None:
    copies = levels(draw())

    sizes = [(copy.shape[1], copy.shape[0]) for copy in copies]
    assert sizes[0] == size
    assert all(half == (w // 2, h // 2) for (w, h), half in pairwise(sizes))
    assert min(sizes[-1]) <= 8
    means = np.array([copy.reshape(-1, 3).mean(axis=0) for copy in copies])
    # Each copy is rounded to bytes.
    np.testing.assert_allclose(means, np.broadcast_to(means[0], means.shape), atol=4.0)


def test_the_copies_fill_the_texels_without_gap_or_overlap() -> None:
    canvas = paint.canvas()

    starts, counts = canvas.starts[:, 0], canvas.starts[:, 1] * canvas.starts[:, 2]
    assert starts.tolist() == [0, *np.cumsum(counts)[:-1].tolist()]
    assert counts.sum() == len(canvas.texels)


def test_the_red_corner_is_at_minus_x_plus_z_and_the_blue_one_across() -> None:
    red, blue, neutral = colour_at(-2.6, 2.6), colour_at(2.6, -2.6), colour_at(2.0, 2.0)

    assert red[0] > 2.0 * max(red[1:])
    assert blue[2] > 2.0 * max(blue[:2])
    assert max(neutral) < 1.5 * min(neutral)


def test_the_canvas_is_worn_where_boxers_stand_and_the_same_every_time() -> None:
    first = paint.canvas().texels.copy()
    paint.canvas.cache_clear()

    again = paint.canvas().texels

    np.testing.assert_array_equal(first, again)
    picture = levels(paint.canvas())[0].astype(float)
    # Between the mark in the middle and the corners' triangles there is nothing printed, only scuffs and mottling.
    assert 2.0 < picture[700:760, 450:550].std(axis=(0, 1)).min() < 30.0

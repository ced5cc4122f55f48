"""The picture that linear light gives: depth of field, bloom, vignette, grain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.previz.shots import PLAIN, centre, shot_of
from undercard.previz.exposure import expose
from undercard.previz.frame import Pixels
from undercard.previz.lights import Light
from undercard.previz.mesh import Floats

WIDTH, HEIGHT = 128, 96


def exposed(light: Floats, grade: Light, depth: float = 5.0, f_number: float = 0.0, seed: int = 1) -> Pixels:
    """Return the picture of a wall *depth* metres away through a 50 mm lens that is focused at 5 m."""
    with shot_of(light=grade, size=(WIDTH, HEIGHT), seed=seed) as shot:
        return expose(shot, light, np.full((HEIGHT, WIDTH), depth, np.float32), 5.0, 50.0, f_number)


def grey(value: float) -> Floats:
    return np.full((HEIGHT, WIDTH, 3), value, np.float32)


def edge() -> Floats:
    """Return a wall that is dark on the left and light on the right."""
    light = grey(0.02)
    light[:, WIDTH // 2 :] = 0.6
    return light


def rise(image: Pixels) -> int:
    """Return how many columns the middle row takes from dark to light."""
    row = image[HEIGHT // 2, :, 1].astype(int)
    low, high = row[0] + 8, row[-1] - 8
    return int(((row > low) & (row < high)).sum())


def test_more_exposure_never_makes_a_pixel_darker() -> None:
    ramp = grey(0.0) + np.linspace(0.0, 3.0, WIDTH, dtype=np.float32)[None, :, None]

    dark, bright = (exposed(ramp, replace(PLAIN, exposure=exposure)).astype(int) for exposure in (0.5, 2.0))

    assert (np.diff(dark[0, :, 0]) >= 0).all()
    assert (bright >= dark).all()
    assert (dark[0, 0], bright[0, -1]) == pytest.approx((0, 255), abs=1)


def test_an_open_lens_blurs_what_is_out_of_its_focus_only() -> None:
    sharp, in_focus, behind = (
        exposed(edge(), PLAIN, depth, f_number) for depth, f_number in ((1.0, 0.0), (5.0, 0.2), (1.0, 0.2))
    )

    assert rise(sharp) == rise(in_focus) == 0
    assert rise(behind) >= 2


def test_what_burns_glows_over_its_surroundings_and_what_is_grey_does_not() -> None:
    lamp, card = grey(0.05), grey(0.05)
    lamp[44:52, 60:68], card[44:52, 60:68] = 20.0, 0.6

    glow, none = (exposed(light, replace(PLAIN, bloom=2.0))[48, :, 1].astype(int) for light in (lamp, card))

    assert np.ptp(none[:58]) == 0
    assert glow[56] > glow[48] > none[48]
    # The same to the left and to the right.
    np.testing.assert_allclose(glow[:60], glow[:67:-1], atol=2)


def test_a_vignette_darkens_the_corners_alike_and_leaves_the_middle() -> None:
    flat, image = (exposed(grey(0.3), replace(PLAIN, vignette=vignette)).astype(int) for vignette in (0.0, 0.6))

    corners = [int(image[y, x, 1]) for y in (0, -1) for x in (0, -1)]
    assert centre(image).tolist() == centre(flat).tolist()
    assert len(set(corners)) == 1
    assert corners[0] < 0.75 * flat[0, 0, 1]


def test_the_seed_decides_the_grain_however_large_it_is() -> None:
    grade = replace(PLAIN, grain=0.05)

    first, again, large, other = (exposed(grey(0.2), grade, seed=seed) for seed in (7, 7, 7 + 2**62, 8))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=2).mean() > 0.5
    assert (first != large).any(axis=2).mean() > 0.5


def test_a_tint_colours_grey() -> None:
    cold = exposed(grey(0.2), replace(PLAIN, tint=(0.8, 1.0, 1.2)))

    red, green, blue = centre(cold).astype(int)
    assert red < green < blue

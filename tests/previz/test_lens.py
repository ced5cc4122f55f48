"""The lens by what optics says, and the film by what its curve says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from undercard.previz import lens
from undercard.previz.mesh import Floats

SIZE = (90, 120)
FOCUS, WIDE_OPEN, LIMIT_PX = 2.0, 0.3, 8.0
# Exposure, contrast, saturation, vignette, bloom, tint, grain.
NEUTRAL = (1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0)


def grey(value: float) -> Floats:
    return np.full((*SIZE, 3), value, np.float32)


def confused(light: Floats, depth: Floats, f_number: float = 2.0, limit_px: float = LIMIT_PX) -> Floats:
    """Return the sharp picture of a 50 mm lens that is focused at 2 m."""
    sharp = np.empty((*depth.shape, lens.SHARP_COLUMNS), np.float32)
    lens.confusion(light, depth, FOCUS, 50.0, f_number, limit_px, (0, len(depth)), sharp)
    return sharp


def blurred(light: Floats, depth: Floats) -> Floats:
    out = np.empty_like(light)
    lens.blur(confused(light, depth, WIDE_OPEN), *lens.spiral(LIMIT_PX), (0, len(depth)), out)
    return out


def developed(light: Floats, *changes: tuple[int, float], seed: int = 1) -> NDArray[np.uint8]:
    grade = np.array(NEUTRAL, np.float32)
    for place, value in changes:
        grade[place] = value
    image = np.empty((*SIZE, 3), np.uint8)
    dark = np.zeros((SIZE[0] // 4 + 1, SIZE[1] // 4, 3), np.float32)
    lens.develop(light, dark, 4, grade, lens.transfer_curve(), seed, (0, SIZE[0]), image)
    return image


def test_the_circle_of_confusion_is_that_of_a_thin_lens() -> None:
    depth = np.full(SIZE, 2.0, np.float32)
    depth[0, :3] = 4.0, 1.5, 2.0

    radii = confused(grey(0.5), depth, f_number=2.0)[0, :3, 4]

    # 50 mm at f/2: 25 mm of glass. A point at 4 m, focused at 2 m, comes to 25 · 50 / 1950 · 2 / 4 = 0.3205 mm on
    # the sensor, of 36 mm that are 120 px; half of it is the radius. At 1.5 m it is a third nearer, and negative.
    assert radii.tolist() == pytest.approx([0.3205 / 2 * 120 / 36, -0.2137 / 2 * 120 / 36, 0.0], abs=1e-3)


def test_a_stop_wider_doubles_the_circle_until_the_limit() -> None:
    depth = np.full(SIZE, 6.0, np.float32)

    radii = [float(confused(grey(0.5), depth, f_number)[0, 0, 4]) for f_number in (4.0, 2.0, 0.1)]

    assert radii[1] == pytest.approx(2.0 * radii[0])
    assert radii[2] == LIMIT_PX


def test_taps_begin_with_the_pixel_itself_and_cover_the_disc_evenly() -> None:
    steps, lengths = lens.spiral(60.0)

    assert steps[0].tolist() == [0, 0]
    assert lengths.max() <= 60.5
    assert (np.diff(lengths) > -2.0).all()
    assert (lengths < 30.0).mean() == pytest.approx(0.25, abs=0.03)
    assert np.abs(steps.mean(axis=0)).max() < 3.0


@pytest.mark.parametrize("depth", [2.0, 1.0, 12.0], ids=["in focus", "before", "behind"])
def test_an_even_wall_looks_the_same_however_blurred(depth: float) -> None:
    wall = blurred(grey(0.4), np.full(SIZE, depth, np.float32))

    np.testing.assert_allclose(wall, 0.4, atol=1e-3)


def test_a_far_point_becomes_a_disc_of_its_circle_with_the_light_it_had() -> None:
    light, depth = grey(0.0), np.full(SIZE, 13.0, np.float32)
    light[45, 60] = 100.0
    (radius,) = np.unique(np.abs(confused(light, depth, WIDE_OPEN)[:, :, 4]))

    disc = blurred(light, depth)

    ys, xs = np.nonzero(disc[:, :, 0] > 1e-6)
    assert np.hypot(ys - 45, xs - 60).max() < radius + 1.5
    assert disc[:, :, 0].max() < 10.0
    assert disc[:, :, 0].sum() == pytest.approx(100.0, rel=0.02)


def test_a_bright_blurred_background_does_not_run_over_a_sharp_edge() -> None:
    light, depth = grey(5.0), np.full(SIZE, 13.0, np.float32)
    light[:, :60], depth[:, :60] = 0.1, FOCUS

    np.testing.assert_allclose(blurred(light, depth)[:, :60], 0.1, atol=1e-3)


def test_a_gaussian_keeps_the_light_and_is_as_wide_as_its_sigma() -> None:
    weights = lens.gaussian(3.0)
    whole = np.concatenate([weights[:0:-1], weights])
    at = np.arange(len(whole)) - len(weights) + 1.0

    assert whole.sum() == pytest.approx(1.0, abs=1e-6)
    # Cut at three sigma, it lacks 3 % of its variance.
    assert np.sqrt((whole * at**2).sum()) == pytest.approx(3.0, rel=0.03)
    light, out = grey(0.0), grey(0.0)
    light[40, 50] = 1.0
    lens.spread(light, weights, True, (0, SIZE[0]), out)
    np.testing.assert_allclose(out[40, 50 - len(weights) + 1 : 50 + len(weights), 1], whole, atol=1e-6)
    assert out[:, :, 1].sum() == pytest.approx(1.0, abs=1e-5)


def test_only_what_is_nearly_white_glows_and_no_glint_lights_the_hall() -> None:
    light = grey(0.7)
    light[0, 0], light[4, 4] = 1.5, 1e6
    source = np.empty((SIZE[0] // 4 + 1, SIZE[1] // 4, 3), np.float32)

    lens.glow_source(light, 4, (0, len(source)), source)

    # One pixel of sixteen.
    assert source[0, 0].tolist() == pytest.approx([0.8 / 16] * 3, rel=1e-4)
    assert source[1, 1].tolist() == pytest.approx([4.0 / 16] * 3, rel=1e-4)
    assert np.count_nonzero(source) == 6


def test_the_transfer_curve_is_srgbs() -> None:
    # Read by the root of the light: 0.5 is a light of a quarter.
    place = np.linspace(0.0, 1.0, 1024)

    read = np.interp([0.0, 0.05, 0.1, np.sqrt(0.2140), np.sqrt(0.5), 1.0], place, lens.transfer_curve())

    assert read.tolist() == pytest.approx([0.0, 0.0323, 0.0999, 0.5, 0.7354, 1.0], abs=5e-4)


def test_middle_grey_comes_out_where_the_film_curve_has_it() -> None:
    # ACES takes 0.18 to 0.2669, which sRGB writes as 0.5536.
    assert np.unique(developed(grey(0.18))).tolist() == [round(0.5536 * 255)]
    assert developed(grey(0.0)).max() == 0
    assert developed(grey(50.0)).min() == 255


def test_without_saturation_a_colour_becomes_the_grey_of_its_luminance() -> None:
    light = grey(0.0)
    light[:, :, 1] = 0.3

    colour, drained = developed(light)[0, 0], developed(light, (2, 0.0))[0, 0]

    assert colour[0] == colour[2] == 0
    assert 0 < drained[0] == drained[1] == drained[2] < colour[1]


def test_grain_is_even_about_its_mean_and_decided_by_the_seed() -> None:
    plain = developed(grey(0.18)).astype(float)
    first, again, other = (developed(grey(0.18), (8, 0.05), seed=seed).astype(float) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5
    assert (first - plain).mean() == pytest.approx(0.0, abs=0.3)
    assert (first - plain).std() > 2.0
    # It is grey: all of a pixel's channels have the same.
    assert np.ptp(first, axis=2).max() == 0

"""Camera rays, and the sample patterns of soft light."""

from __future__ import annotations

import numpy as np
import pytest

from undercard.domain.staging import Camera
from undercard.previz.mesh import Floats
from undercard.previz.rays import TILE, camera_rays, on_disc, sample_pattern
from undercard.previz.view import View, look_through

VIEW = look_through(Camera((1.0, 2.0, 3.0), (-0.5, 1.0, 0.0), 35.0, roll_degrees=12.0), (320, 180))


def rays_through(view: View, *pixels: tuple[float, float]) -> Floats:
    xs, ys = np.array(pixels, np.float32).T
    directions = np.empty((len(pixels), 3), np.float32)
    camera_rays(view.axes, view.focal_px, view.width, view.height, xs.copy(), ys.copy(), directions)
    return directions


def test_the_ray_through_the_middle_of_the_picture_goes_to_the_target() -> None:
    (middle,) = rays_through(VIEW, (160.0, 90.0))

    way = np.array([-1.5, -1.0, -3.0])
    np.testing.assert_allclose(middle, way / np.linalg.norm(way), atol=1e-6)


def test_a_point_on_a_ray_is_projected_to_the_pixel_that_the_ray_leaves_through() -> None:
    pixels = [(0.5, 0.5), (319.5, 0.5), (40.25, 170.0), (200.0, 33.0)]

    points = VIEW.eye + np.float32(4.0) * rays_through(VIEW, *pixels)

    np.testing.assert_allclose(VIEW.project(points)[:, :2], pixels, atol=0.01)


def test_a_lens_as_long_as_half_the_frame_sees_a_right_angle_across() -> None:
    wide = look_through(Camera((0.0, 0.0, 0.0), (0.0, 0.0, -1.0), 18.0), (320, 180))

    left, right = rays_through(wide, (0.0, 90.0), (320.0, 90.0))

    assert left @ right == pytest.approx(0.0, abs=1e-6)
    assert np.linalg.norm([left, right], axis=1) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("per_pixel", [1, 4, 5])
def test_the_samples_of_a_tile_cover_the_square_evenly(per_pixel: int) -> None:
    samples = sample_pattern(per_pixel).reshape(-1, 2)

    assert samples.shape == (TILE * TILE * per_pixel, 2)
    assert (samples >= 0.0).all()
    assert (samples < 1.0).all()
    quarters = np.bincount((samples >= 0.5) @ (1, 2), minlength=4)
    assert np.ptp(quarters) <= 2


def test_each_pixels_own_samples_are_spread_out_too() -> None:
    # The middles of four quarters would be 0.5 apart; half of all random fours come nearer than 0.2.
    for own in sample_pattern(4):
        apart = np.linalg.norm(own[:, None] - own[None], axis=2)
        assert apart[~np.eye(4, dtype=bool)].min() > 0.35


def test_samples_on_a_disc_are_as_even_by_area_as_in_the_square() -> None:
    square = np.stack(np.meshgrid((np.arange(32) + 0.5) / 32, (np.arange(32) + 0.5) / 32), axis=-1)

    disc = on_disc(square.astype(np.float32)).reshape(-1, 3)

    radius = np.hypot(disc[:, 0], disc[:, 1])
    assert radius.max() < 1.0
    # Within half the radius lies a quarter of the disc; the centre of gravity is the middle.
    assert (radius < 0.5).mean() == pytest.approx(0.25, abs=0.01)
    assert disc[:, :2].mean(axis=0) == pytest.approx([0.0, 0.0], abs=1e-4)
    np.testing.assert_array_equal(disc[:, 2], square[..., 1].astype(np.float32).ravel())

"""Shadow rays, what their answers say, and the filter that takes their pattern out."""

from __future__ import annotations

import numpy as np
import pytest

from undercard.domain.staging import Vec3
from undercard.previz import occlusion
from undercard.previz.lights import LAMP_COLUMNS
from undercard.previz.mesh import Floats
from undercard.previz.rays import TILE, on_disc, sample_pattern
from undercard.previz.shading import NEAR_COLUMNS

KEY, SKY = 0, occlusion.SKY
UP: Vec3 = (0.0, 1.0, 0.0)
SAMPLES = 16


def lamps(height: float, radius: float, outer_degrees: float = 89.0) -> Floats:
    """Return a table whose key hangs *height* metres above the origin and points down."""
    table = np.zeros((3, LAMP_COLUMNS), np.float32)
    outer = np.cos(np.radians(outer_degrees))
    table[KEY] = (0.0, height, 0.0, radius, 1.0, 1.0, 1.0, 0.0, -1.0, 0.0, min(outer + 0.01, 1.0), outer)
    return table


def rays(kind: int, point: Vec3, normal: Vec3, table: Floats) -> tuple[Floats, Floats, Floats]:
    """Return origins, directions and reaches of the rays of every pixel of a tile that has the same point."""
    pixels = TILE * TILE
    near = np.zeros((pixels, NEAR_COLUMNS), np.float32)
    near[:, :3], near[:, 3:6], near[:, 6] = point, normal, 1.0
    hit = np.arange(pixels, dtype=np.int32)
    count = pixels * SAMPLES
    origins, directions = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
    reach = np.empty(count, np.float32)
    kinds, pattern = np.full(SAMPLES, kind, np.int32), on_disc(sample_pattern(SAMPLES))
    occlusion.light_rays(near, hit, 0, TILE, table, kinds, pattern, origins, directions, reach)
    return origins, directions, reach


def test_shadow_rays_end_on_the_lamps_disc_and_cover_it_evenly() -> None:
    origins, directions, reach = rays(KEY, (1.0, 0.0, 0.5), UP, lamps(5.0, 0.4))

    ends = origins + directions * reach[:, None]
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert ends[:, 1] == pytest.approx(5.0, abs=1e-4)
    away = np.hypot(ends[:, 0], ends[:, 2])
    assert away.max() < 0.4 + 1e-4
    assert (away < 0.2).mean() == pytest.approx(0.25, abs=0.02)
    # A little above the surface, or it would shadow itself.
    assert origins[:, 1] == pytest.approx(occlusion.LIFT)


@pytest.mark.parametrize(
    ("point", "normal"),
    [((0.0, 0.0, 0.0), (0.0, -1.0, 0.0)), ((4.0, 0.0, 0.0), UP)],
    ids=["turned away", "outside the cone"],
)
def test_no_ray_is_cast_to_a_lamp_that_cannot_matter(point: Vec3, normal: Vec3) -> None:
    _, _, reach = rays(KEY, point, normal, lamps(5.0, 0.1, outer_degrees=30.0))

    assert reach.max() == 0.0


@pytest.mark.parametrize("normal", [UP, (0.0, 0.0, -1.0), (0.6, -0.8, 0.0)], ids=["up", "back", "slanted"])
def test_sky_rays_are_spread_about_the_normal_by_the_cosine(normal: Vec3) -> None:
    _, directions, reach = rays(SKY, (0.0, 1.0, 0.0), normal, lamps(5.0, 0.1))

    cosines = directions @ np.array(normal, np.float32)
    assert cosines.min() >= 0.0
    # The mean cosine of a cosine-weighted hemisphere is two thirds.
    assert cosines.mean() == pytest.approx(2.0 / 3.0, abs=0.01)
    assert directions.mean(axis=0) == pytest.approx(2.0 / 3.0 * np.array(normal), abs=0.02)
    assert 0.0 < reach.min() <= reach.max() <= occlusion.SKY_REACH


def test_visibility_is_the_share_of_a_channels_rays_that_met_nothing() -> None:
    kinds = np.array([0, 0, 0, 0, 1, 2, 3, 3], np.int32)
    # Two pixels' answers: -1 is open, 0 is blocked.
    blocked = np.array([-1, 0, -1, -1, 0, -1, 0, -1, 0, 0, 0, -1, -1, 0, -1, -1], np.int32)
    visibility = np.full((3, occlusion.CHANNELS), 9.0, np.float32)

    occlusion.gather_visibility(blocked, np.array([0, 2], np.int32), kinds, visibility)

    assert visibility.tolist() == [[0.75, 0.0, 1.0, 0.5], [9.0] * 4, [0.25, 1.0, 0.0, 1.0]]


def smoothed(near: Floats, raw: Floats) -> Floats:
    occlusion.smooth_visibility((0, len(near)), raw, near)
    return near[:, :, 7:11]


def floor(size: int = 16) -> Floats:
    """Return a level floor seen from above, a pixel a centimetre."""
    near = np.zeros((size, size, NEAR_COLUMNS), np.float32)
    near[:, :, 0], near[:, :, 2] = np.indices((size, size))[::-1] * 0.01
    near[:, :, 4], near[:, :, 6] = 1.0, 4.0
    return near


def test_the_filter_takes_out_a_pattern_that_repeats_with_the_tile() -> None:
    pattern = np.random.default_rng(1).random((TILE, TILE, occlusion.CHANNELS)).astype(np.float32)

    found = smoothed(floor(), np.tile(pattern, (4, 4, 1)))

    inside = found[TILE:-TILE, TILE:-TILE]
    np.testing.assert_allclose(inside, np.broadcast_to(pattern.mean(axis=(0, 1)), inside.shape), rtol=1e-3)


def test_the_filter_mixes_neither_two_heights_nor_two_sides_of_an_edge() -> None:
    near, dark = floor(), np.zeros((16, 16, occlusion.CHANNELS), np.float32)
    dark[:, 8:] = 1.0
    # Half of it lies a metre lower in one picture, and is as steep as 70° in the other.
    step, wall = near.copy(), near.copy()
    step[:, 8:, 1] = -1.0
    wall[:, 8:, 3:6] = -0.94, 0.342, 0.0

    np.testing.assert_allclose(smoothed(step, dark)[:, :8], 0.0, atol=1e-3)
    np.testing.assert_array_equal(smoothed(wall, dark), dark)


def test_a_pixel_that_shows_nothing_is_lit_and_shadows_no_neighbour() -> None:
    near, raw = floor(), np.full((16, 16, occlusion.CHANNELS), 0.5, np.float32)
    near[4, 4], raw[4, 4] = 0.0, 0.0

    found = smoothed(near, raw)

    assert found[4, 4].tolist() == [1.0] * 4
    assert found[5, 5].tolist() == pytest.approx([0.5] * 4)

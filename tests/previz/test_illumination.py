"""What reaches each point: shadows, darkened corners, the haze before it and the arena behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.previz.shots import PLAIN, shot_of, slab
from undercard.domain.staging import Camera
from undercard.previz import illumination, passes
from undercard.previz.lights import Lamp, Light
from undercard.previz.mesh import Floats, Mesh
from undercard.previz.picture import Sampling
from undercard.previz.shading import NEAR_COLUMNS, Half

KEY, SKY = 7, 10
# A lamp of 40 cm, six metres up.
LAMP = Lamp((0.0, 6.0, 0.0), 0.2, (90.0, 90.0, 90.0), aim=(0.0, 0.0, 0.0))
LIT = replace(PLAIN, key=LAMP)
FLOOR, STAGE = slab(20.0, 0.0), slab(6.0, 0.0)
ASIDE = Camera((5.0, 4.0, 0.0), (0.0, 0.0, 0.0), 36.0)
# Under a slab that lies 20 cm over the floor.
LOW = Camera((1.2, 0.15, 0.0), (0.0, 0.05, 0.0), 36.0)
# Level from the stage's middle, over its edge.
OUTWARD = Camera((0.0, 1.6, 0.0), (0.0, 1.6, -9.0), 30.0)


def light_up(
    *meshes: Mesh, light: Light = LIT, camera: Camera = ASIDE, seed: int = 1, size: tuple[int, int] = (96, 72)
) -> Half:
    illumination.build_surroundings()
    with shot_of(*meshes, light=light, camera=camera, size=size, seed=seed, sampling=Sampling(8, 1, 16, 0)) as shot:
        return illumination.light_up(shot, passes.see(shot))


def by_distance(near: Floats, column: int, low: float, high: float) -> Floats:
    """Return a column of the floor's points that lie between two distances from the origin, metres."""
    away = np.hypot(near[:, :, 0], near[:, :, 2])
    chosen: Floats = near[(near[:, :, 6] > 0.0) & (np.abs(near[:, :, 1]) < 1e-3) & (away > low) & (away < high)]
    return chosen[:, column]


def test_points_and_normals_are_those_of_every_other_pixel() -> None:
    near, _ = light_up(FLOOR)

    assert near.shape == (36, 48, NEAR_COLUMNS)
    with shot_of(FLOOR, camera=ASIDE, size=(96, 72)) as shot:
        pixels = shot.view.project(np.ascontiguousarray(near[:, :, :3].reshape(-1, 3)))[:, :2].reshape(36, 48, 2)
    rows, columns = np.indices((36, 48)) * 2 + 0.5
    np.testing.assert_allclose(pixels, np.stack([columns, rows], axis=2), atol=0.01)
    np.testing.assert_allclose(near[:, :, 3:6], np.broadcast_to([0.0, 1.0, 0.0], (36, 48, 3)), atol=1e-5)


def test_a_shadow_is_as_large_as_a_lamp_above_a_slab_throws_it() -> None:
    # Halfway up, a slab of 1 m throws 2 m; the penumbra is as wide as the lamp, and the filter spreads it.
    near, _ = light_up(FLOOR, slab(0.5, 3.0))

    assert by_distance(near, KEY, 0.0, 0.6).max() < 0.05
    assert by_distance(near, KEY, 2.2, 4.0).min() > 0.99
    open_floor, _ = light_up(FLOOR)
    assert by_distance(open_floor, KEY, 0.0, 4.0).min() > 0.99


def test_a_thing_close_over_the_floor_darkens_it_and_one_high_above_does_not() -> None:
    low, high, bare = (
        by_distance(light_up(FLOOR, *over, camera=LOW)[0], SKY, 0.0, 0.6)
        for over in ((slab(1.5, 0.2),), (slab(1.5, 2.5),), ())
    )

    assert low.max() < 0.5
    assert high.min() == bare.min() == 1.0


def test_haze_thickens_with_distance() -> None:
    near, _ = light_up(FLOOR, light=replace(PLAIN, haze=(0.1, 0.2, 0.4)))

    order = np.argsort(near[:, :, 6].ravel())
    haze = near[:, :, 11:14].reshape(-1, 3)[order]
    assert (np.diff(haze, axis=0) >= -1e-6).all()
    assert haze[0, 0] < 0.5 * haze[-1, 0]
    np.testing.assert_allclose(haze[:, 2], 4.0 * haze[:, 0], rtol=1e-4)
    assert light_up(FLOOR)[0][:, :, 11:14].max() == 0.0


def test_the_arena_shows_where_the_stage_ends_and_only_there() -> None:
    crowded = replace(LIT, crowd=1.0)
    (_, covered), (_, behind) = light_up(FLOOR, light=crowded), light_up(STAGE, light=crowded, camera=OUTWARD)

    # But for flashes, which are laid over all of it and seen past the stage only.
    assert (covered > 0.0).mean() < 0.05
    # The stage ends six metres away, 1.6 m lower: on a lens of 30 mm 11 of these pixels below the middle.
    assert (behind[:18].max(axis=2) > 0.0).mean() > 0.9
    assert (behind[32:] > 0.0).mean() < 0.05


def test_without_a_key_lamp_the_arena_is_dark_and_not_a_hole() -> None:
    _, behind = light_up(STAGE, light=replace(PLAIN, crowd=1.0), camera=OUTWARD)

    assert np.isfinite(behind).all()
    assert behind.max() > 0.0


def test_the_seed_decides_which_cameras_flash_and_nothing_else() -> None:
    # Wide enough for a flash to be larger than a pixel.
    (near, first), (again_near, again), (other_near, other) = (
        light_up(STAGE, light=replace(LIT, crowd=1.0), camera=OUTWARD, seed=seed, size=(640, 240)) for seed in (3, 3, 4)
    )

    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(near, again_near)
    np.testing.assert_array_equal(near, other_near)
    changed = np.abs(first - other).max(axis=2) > 0.1
    assert 5 < changed.sum() < 0.02 * changed.size

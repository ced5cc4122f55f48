"""Haze, beams, the arena's surfaces and the flashes in it."""

from __future__ import annotations

import numpy as np
import pytest

from undercard.domain.staging import Vec3
from undercard.previz.air import add_flashes, light_air, light_arena
from undercard.previz.lights import BEAM_COLUMNS
from undercard.previz.mesh import Floats, Material
from undercard.previz.scene import Scene
from undercard.previz.shapes import quad

EYE = np.array([0.0, 1.0, 0.0], np.float32)
NO_BEAMS = np.zeros((0, BEAM_COLUMNS), np.float32)
NO_HAZE = (0.0, 0.0, 0.0)
FAR = 50.0


def beam(x: float, z: float, colour: Vec3 = (0.1, 0.2, 0.3)) -> Floats:
    """Return a beam that falls straight down from six metres, 10 cm wide at the lamp and 16 cm at the eye's height."""
    return np.array([(x, 6.0, z, 0.0, -1.0, 0.0, *colour, 6.0, 0.012, 0.10)], np.float32)


def air(beams: Floats, *ways: Vec3, distance: float = FAR, haze: Vec3 = NO_HAZE) -> Floats:
    """Return the light of the air on the way from the eye in each direction, shape (n, 3)."""
    directions = np.array(ways, np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    out = np.empty((len(ways), 3), np.float32)
    light_air(EYE, directions, np.full(len(ways), distance, np.float32), beams, np.array(haze, np.float32), out)
    return out


def test_haze_begins_at_three_metres_and_halves_what_it_lacks_every_14_more() -> None:
    haze = (0.2, 0.4, 0.8)
    half = 20.0 * float(np.log(2.0))

    found = [air(NO_BEAMS, (0.0, 0.0, -1.0), distance=d, haze=haze)[0] for d in (2.9, 3.0 + half, 3.0 + 2.0 * half)]

    np.testing.assert_allclose(found, np.outer([0.0, 0.5, 0.75], haze), rtol=1e-4)


def test_a_beam_is_brightest_in_its_axis_alike_on_both_sides_and_dark_beyond_three_radii() -> None:
    aside = np.arange(-0.8, 0.81, 0.1)

    row = air(beam(0.0, -5.0), *((float(x), 0.0, -5.0) for x in aside))[:, 0]

    assert row.argmax() == len(aside) // 2
    np.testing.assert_allclose(row, row[::-1], rtol=1e-3)
    assert row[0] == row[-1] == 0.0
    assert (np.diff(row[:9]) >= 0.0).all()


def test_a_wall_before_a_beam_hides_it_and_one_behind_it_does_not() -> None:
    before, behind, none = (
        air(beam(0.0, -5.0), (0.0, 0.0, -1.0), distance=distance)[0, 0] for distance in (4.0, 6.0, FAR)
    )

    assert (before, behind) == (0.0, none)
    assert none > 0.0


def test_a_beam_behind_the_eye_or_past_its_end_is_not_seen() -> None:
    assert air(beam(0.0, 5.0), (0.0, 0.0, -1.0)).max() == 0.0
    # The beam ends on the canvas.
    assert air(beam(0.0, -5.0), (0.0, -2.0, -5.0)).max() == 0.0


def test_beams_and_haze_add_up() -> None:
    one, other, haze = beam(0.0, -5.0), beam(0.1, -7.0, (0.3, 0.1, 0.0)), (0.01, 0.02, 0.03)
    way = (0.0, 0.0, -1.0)

    together = air(np.concatenate([one, other]), way, haze=haze)

    apart = air(one, way) + air(other, way) + air(NO_BEAMS, way, haze=haze)
    np.testing.assert_allclose(together, apart, rtol=1e-5)


def test_in_the_arena_screens_shine_by_themselves_and_people_by_the_rings_light_less_with_distance() -> None:
    glow, cloth = Material((0.2, 0.4, 0.6), 1.0, 1.0), Material((0.2, 0.2, 0.2), 0.0, 1.0)

    def seen(material: Material, distance: float, level: float) -> list[float]:
        """Return the light of an upright board in the stands, seen from the eye."""
        board = quad((-1, 0, -distance), (1, 0, -distance), (1, 2, -distance), (-1, 2, -distance), material)
        scene = Scene([(board, 0)])
        way = np.array([[0.0, 0.0, -1.0]], np.float32)
        hits = scene.cast(EYE[None], way)
        out = np.empty((1, 3), np.float32)
        light_arena(
            EYE, way, hits.triangle, hits.distance, hits.u, hits.v, scene.corners, scene.faces, scene.face_materials,
            scene.materials, np.array([1.0, 0.5, 0.25], np.float32), level, out,
        )  # fmt: skip
        return [float(value) for value in out[0]]

    assert seen(glow, 8.0, 0.85) == pytest.approx(glow.colour)
    assert seen(glow, 8.0, 0.85) == seen(glow, 16.0, 0.85)
    near, far, dimmed = seen(cloth, 8.0, 0.8), seen(cloth, 16.0, 0.8), seen(cloth, 8.0, 0.4)
    assert 0.0 < far[0] < 0.5 * near[0]
    assert near == pytest.approx([2.0 * value for value in dimmed], rel=1e-4)
    # The key is warm, and so is what it lights.
    assert near[0] > near[1] > near[2]


@pytest.mark.parametrize(("x", "y"), [(20, 15), (0, 0), (39, 29)], ids=["middle", "corner", "other corner"])
def test_a_flash_is_hottest_where_it_is_and_fades_evenly_around(x: int, y: int) -> None:
    backdrop = np.zeros((30, 40, 3), np.float32)

    add_flashes(np.array([[x, y, 2.0]], np.float32), backdrop, 3.0)

    blue = backdrop[:, :, 2]
    # Core and glow together, then both at the core's radius.
    assert blue[y, x] == blue.max() == pytest.approx(2.0 * 1.06)
    assert blue[y, abs(x - 3)] == pytest.approx(2.0 * (np.exp(-1.0) + 0.06 * np.exp(-0.12)), rel=1e-4)
    rows, columns = np.indices(blue.shape)
    order = np.argsort(np.hypot(rows - y, columns - x).ravel(), kind="stable")
    within = blue.ravel()[order][:40]
    assert (np.diff(within) <= 1e-6).all()


def test_flashes_outside_the_picture_leave_it_alone() -> None:
    backdrop = np.full((30, 40, 3), 0.25, np.float32)

    add_flashes(np.array([[-60.0, 15.0, 2.0], [20.0, 90.0, 2.0], [400.0, -400.0, 2.0]], np.float32), backdrop, 1.5)

    assert np.unique(backdrop).tolist() == [0.25]

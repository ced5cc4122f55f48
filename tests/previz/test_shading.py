"""The light that a surface sends to the eye, by the laws of light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.previz.shots import DOWN, MATT, PLAIN, centre, coloured, shot_of, slab, unshaded
from undercard.previz import passes
from undercard.previz.lights import Lamp
from undercard.previz.mesh import Floats, Material, Texture

WHITE = (90.0, 90.0, 90.0)
SKIN = Material(MATT.colour, 0.0, 1.0, Texture.SKIN)


def lamp(height: float, aside: float = 0.0, cone: tuple[float, float] = (80.0, 89.0)) -> Lamp:
    return Lamp((aside, height, 0.0), 0.1, WHITE, cone, aim=(0.0, 0.0, 0.0))


def lit(key: Lamp, material: Material = MATT, visible: float = 1.0) -> list[float]:
    """Return the linear light from the middle of a floor under one lamp, seen from straight above."""
    picture = coloured(slab(3.0, 0.0, material), light=replace(PLAIN, key=key), visible=visible)
    return [float(value) for value in centre(picture)]


@pytest.mark.parametrize("height", [1.5, 3.0, 6.0])
def test_a_matt_floor_is_lit_by_the_inverse_square_of_its_distance(height: float) -> None:
    # Lambert: albedo / π of what arrives.
    assert lit(lamp(height)) == pytest.approx([0.5 / np.pi * 90.0 / height**2] * 3, rel=1e-4)


@pytest.mark.parametrize("degrees", [30.0, 60.0, 75.0])
def test_slanting_light_is_spread_by_the_cosine(degrees: float) -> None:
    turn = np.radians(degrees)
    slanted = lit(lamp(4.0 * float(np.cos(turn)), 4.0 * float(np.sin(turn))))

    assert slanted[0] / lit(lamp(4.0))[0] == pytest.approx(np.cos(turn), rel=1e-3)


def test_as_much_of_a_lamp_as_is_in_view_lights() -> None:
    assert lit(lamp(4.0), visible=0.25) == pytest.approx([0.25 * value for value in lit(lamp(4.0))], rel=1e-4)
    assert lit(lamp(4.0), visible=0.0) == [0.0, 0.0, 0.0]


def test_a_spotlight_fades_out_between_its_two_angles() -> None:
    row = coloured(slab(3.0, 0.0), light=replace(PLAIN, key=lamp(4.0, cone=(10.0, 20.0))), size=(65, 65))[32, 32:, 0]

    # Four metres wide, one metre a 16 px: 10° from four metres up are 0.705 m, 20° are 1.456 m.
    fair = 0.5 / np.pi * 90.0 / 16.0 * np.cos(np.radians(9.0)) ** 4
    assert row[10] == pytest.approx(fair, rel=0.02)
    assert (np.diff(row) <= 1e-6).all()
    assert 0.0 < row[17] < row[10]
    assert row[25:].max() == 0.0


def test_light_from_below_leaves_cloth_dark_and_bends_around_skin_red_the_farthest() -> None:
    grazing = lamp(-0.4, 4.0)

    red, green, blue = lit(grazing, SKIN)

    assert lit(grazing) == [0.0, 0.0, 0.0]
    assert red > green > blue == 0.0


def test_a_highlight_lies_at_the_mirrors_angle_and_is_tighter_the_shinier() -> None:
    def row(shininess: float) -> Floats:
        gloss = Material((0.0, 0.0, 0.0), 1.0, shininess)
        return coloured(slab(3.0, 0.0, gloss), light=replace(PLAIN, key=lamp(4.0)))[16, :, 0]

    broad, tight = row(20.0), row(200.0)

    # The lamp is where the eye is: the middle mirrors it.
    assert broad.argmax() == tight.argmax() == 16
    np.testing.assert_allclose(broad, broad[::-1], rtol=1e-3, atol=1e-6)
    assert tight[20] / tight[16] < 0.7 * broad[20] / broad[16]


@pytest.mark.parametrize(("sky", "ground", "expected"), [(0.8, 0.0, 0.4), (0.0, 0.8, 0.0)], ids=["sky", "ground"])
def test_what_faces_up_gets_the_skys_light_and_none_of_the_grounds(sky: float, ground: float, expected: float) -> None:
    light = replace(PLAIN, sky=(sky,) * 3, ground=(ground,) * 3)

    assert centre(coloured(slab(3.0, 0.0), light=light)) == pytest.approx(expected, abs=1e-4)


def test_haze_lies_over_surfaces_and_the_arena_shows_past_them() -> None:
    haze, backdrop = (0.01, 0.02, 0.03), (0.1, 0.2, 0.3)
    with shot_of(slab(0.5, 0.0), camera=DOWN, size=(33, 33)) as shot:
        light, surface = passes.colour(shot, passes.see(shot), unshaded(shot, haze=haze, backdrop=backdrop))

    assert tuple(centre(light)) == pytest.approx(haze)
    assert tuple(light[0, 0]) == pytest.approx(backdrop)
    assert surface[16, 16, 0] == pytest.approx(4.0)
    assert np.isinf(surface[0, 0, 0])

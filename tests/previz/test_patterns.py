"""What is printed on and woven into surfaces: where it lies, how strong it is, and that it stays there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.previz.shots import PLAIN, centre, coloured, slab
from undercard.domain.staging import Camera, Vec3
from undercard.previz import paint
from undercard.previz.mesh import Floats, Material, Mesh, Texture
from undercard.previz.ring import PLATFORM_HALF, PLATFORM_HEIGHT
from undercard.previz.shapes import quad

# Under an even white sky a surface that faces up, seen from above, sends its albedo to the eye.
WHITE_SKY = replace(PLAIN, sky=(1.0, 1.0, 1.0))
EVEN = replace(WHITE_SKY, ground=(1.0, 1.0, 1.0))
COLOUR = (0.30, 0.40, 0.50)
WOVEN = pytest.mark.parametrize("texture", [Texture.SKIN, Texture.LEATHER, Texture.CLOTH])


def cloth(texture: Texture, rest_shift: Vec3 | None = None) -> Mesh:
    """Return a level square of 6 m; the rest place of each of its corners lies *rest_shift* away."""
    floor = slab(3.0, 0.0, Material(COLOUR, 0.0, 1.0, texture))
    return floor if rest_shift is None else replace(floor, rest=floor.vertices + np.array(rest_shift, np.float32))


def from_above(mesh: Mesh, height: float, lens_mm: float, x: float = 0.0, z: float = 0.0) -> Floats:
    camera = Camera((x, height, z), (x, 0.0, z), lens_mm)
    return coloured(mesh, light=WHITE_SKY, camera=camera, size=(65, 65))


def likeness(picture: Floats, drawn: NDArray[np.float64]) -> float:
    """Return the correlation of two pictures, 1 for the same."""
    return float(np.corrcoef(picture.ravel(), drawn.ravel())[0, 1])


def test_a_plain_material_has_its_colour() -> None:
    assert tuple(centre(from_above(cloth(Texture.PLAIN), 2.0, 200.0))) == pytest.approx(COLOUR, abs=1e-4)


@WOVEN
def test_a_pattern_varies_about_the_materials_colour(texture: Texture) -> None:
    # Of half a metre, so that broad and fine parts of a pattern are both in it.
    picture = from_above(cloth(texture), 4.0, 288.0).reshape(-1, 3)

    assert (picture.std(axis=0) > 0.002).any()
    np.testing.assert_allclose(picture.mean(axis=0), COLOUR, rtol=0.05)


@WOVEN
def test_a_pattern_stays_on_a_body_that_moves(texture: Texture) -> None:
    here = from_above(cloth(texture), 4.0, 200.0, x=0.5, z=0.25)
    there = from_above(cloth(texture, (0.5, 0.0, 0.25)), 4.0, 200.0)

    np.testing.assert_allclose(there, here, atol=2e-3)


def test_a_weave_is_seen_close_up_and_left_out_where_it_is_too_fine_for_the_pixels() -> None:
    # A thread is 3.5 mm wide: half of one is enough to see other cloth, but for the broad pattern, which is alike.
    here, beside = cloth(Texture.CLOTH), cloth(Texture.CLOTH, (0.0, 0.0017, 0.0))

    def apart(height: float) -> float:
        return float(np.abs(from_above(here, height, 720.0) - from_above(beside, height, 720.0)).max())

    # 65 px span 3 cm, then 2 m.
    assert apart(0.6) > 0.01
    assert apart(40.0) < 0.001


def test_the_canvas_is_printed_as_it_is_painted_seen_from_above() -> None:
    floor = slab(PLATFORM_HALF, 0.0, Material(COLOUR, 0.0, 1.0, Texture.CANVAS))
    picture = coloured(floor, light=WHITE_SKY, camera=Camera((0.0, 66.0, 0.0), (0.0, 0.0, 0.0), 360.0), size=(64, 64))

    start, side, _ = paint.canvas().starts[5].tolist()
    painted = paint.canvas().texels[start : start + side * side].reshape(side, side, 3)
    assert side == 64
    # A square stands for sRGB's curve.
    linear = (painted / 255.0) ** 2
    straight, *turned = (likeness(picture, drawn) for drawn in (linear, linear[::-1], linear[:, ::-1]))
    assert straight > 0.95 > max(turned)


def test_the_skirt_reads_the_same_on_all_four_sides_and_not_in_a_mirror() -> None:
    skirt = Material(COLOUR, 0.0, 1.0, Texture.SKIRT)
    half, floor = PLATFORM_HALF, -PLATFORM_HEIGHT
    corners = [(-half, half), (half, half), (half, -half), (-half, -half)]
    pictures = []
    for (x0, z0), (x1, z1) in zip(corners, corners[1:] + corners[:1], strict=True):
        side = quad((x0, floor, z0), (x1, floor, z1), (x1, 0, z1), (x0, 0, z0), skirt)
        x, z = (x0 + x1) / 2.0, (z0 + z1) / 2.0
        camera = Camera((21.0 * x, floor / 2, 21.0 * z), (x, floor / 2, z), 360.0)
        pictures.append(coloured(side, light=EVEN, camera=camera, size=(256, 43))[:, :, 1])

    for other in pictures[1:]:
        np.testing.assert_allclose(other, pictures[0], atol=2e-3)
    width, height = paint.SKIRT_PX
    painted = paint.skirt().texels[: width * height].reshape(height, width, 3)[4::8, 4::8, 1] / 255.0
    straight, mirrored = (
        np.corrcoef(pictures[0].ravel(), drawn.ravel())[0, 1] for drawn in (painted, painted[:, ::-1])
    )
    assert straight > 0.9 > mirrored

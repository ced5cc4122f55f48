"""What the camera sees, the buffers beside the colour, and edges drawn with more rays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.previz.shots import MATT, PLAIN, SAMPLING, centre, shot_of, slab, unshaded
from undercard.domain.staging import Camera
from undercard.previz import passes
from undercard.previz.mesh import Floats, Material
from undercard.previz.picture import Sampling

SKY = replace(PLAIN, sky=(1.0, 1.0, 1.0))
WHITE = Material((1.0, 1.0, 1.0), 0.0, 1.0)
# From four metres up a picture four metres wide and three high.
SIZE = (64, 48)


def drawn(*, sampling: Sampling) -> tuple[Floats, Floats]:
    """Return the picture of a white slab over a grey floor before and after its edges are cleaned.

    Its sides lie a quarter of the way into the pixels that show them.
    """
    over = slab(1.0 + 0.75 / 16.0, 1e-3, WHITE)
    with shot_of(slab(6.0, 0.0, MATT), over, light=SKY, size=SIZE, sampling=sampling) as shot:
        half = unshaded(shot)
        light, surface = passes.colour(shot, passes.see(shot), half)
        before = light.copy()
        passes.clean_edges(shot, half, light, surface)
    return before, light


def test_each_ray_ends_where_its_pixel_sees_the_floor() -> None:
    with shot_of(slab(1.0, 0.0), size=SIZE) as shot:
        seen = passes.see(shot)
        places = shot.view.eye + seen.directions * seen.distance[:, :, None]

    there = seen.triangle >= 0
    xs = (np.arange(64) + 0.5 - 32.0) / 16.0
    zs = (np.arange(48) + 0.5 - 24.0) / 16.0
    np.testing.assert_array_equal(there, (np.abs(xs) < 1.0)[None, :] & (np.abs(zs) < 1.0)[:, None])
    expected = np.stack(np.broadcast_arrays(xs[None, :], 0.0, zs[:, None]), axis=-1)
    np.testing.assert_allclose(places[there], expected[there], atol=1e-4)


def test_depth_is_measured_along_the_view_and_normals_from_the_camera() -> None:
    slanted = Camera((0.0, 3.0, 3.0), (0.0, 0.0, 0.0), 36.0)
    with shot_of(slab(6.0, 0.0), camera=slanted, size=SIZE) as shot:
        _, surface = passes.colour(shot, passes.see(shot), unshaded(shot))

    # The floor is turned up by 45°, toward the camera by as much.
    np.testing.assert_allclose(surface[47, 32, 1:4], [0.0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-5)
    assert surface[23:25, 32, 0].mean() == pytest.approx(np.sqrt(18.0), rel=1e-3)
    np.testing.assert_allclose(surface[30, :, 0], surface[30, 0, 0], rtol=1e-5)


def test_each_pixel_names_its_owner_and_its_material() -> None:
    with shot_of(slab(1.5, 0.0), slab(0.4, 0.2, at=(-0.8, 0.0)), slab(0.4, 0.2, at=(0.8, 0.0)), size=SIZE) as shot:
        _, surface = passes.colour(shot, passes.see(shot), unshaded(shot))

    owners = surface[24, [1, 19, 32, 45, 62], 4]
    assert owners.tolist() == [-1.0, 1.0, 0.0, 2.0, -1.0]
    # One material each.
    np.testing.assert_array_equal(surface[:, :, 5], surface[:, :, 4])


def test_an_edge_gets_the_colours_on_both_its_sides_and_all_else_stays() -> None:
    before, after = drawn(sampling=SAMPLING)

    # A quarter of the pixels in these rows and columns is floor; the pixels beside them are cut by no side.
    side = np.zeros((48, 64), np.bool_)
    side[[7, 40], 15:49] = side[7:41, [15, 48]] = True
    np.testing.assert_array_equal(np.abs(after - before).max(axis=2) > 1e-3, side)
    assert set(np.unique(before[:, :, 0].round(3))) == {0.5, 1.0}
    assert ((after[side] > 0.5) & (after[side] < 1.0)).all()


def test_a_draft_leaves_edges_as_they_are() -> None:
    before, after = drawn(sampling=replace(SAMPLING, edge=0))

    np.testing.assert_array_equal(after, before)


def test_the_colour_does_not_depend_on_how_the_picture_is_split_into_bands() -> None:
    # Bands are 48 rows high: the lower 16 of these 64 rows are another band, but in the middle of 128.
    def colour(height: int) -> Floats:
        with shot_of(slab(6.0, 0.0), light=SKY, size=(64, height)) as shot:
            return passes.colour(shot, passes.see(shot), unshaded(shot))[0]

    np.testing.assert_allclose(colour(128)[32:96], colour(64), atol=1e-5)
    assert centre(colour(64)) == pytest.approx(0.5, abs=1e-3)

"""The simple solids: their size, which way they face, and what joining them keeps."""

from __future__ import annotations

import numpy as np
import pytest

from tests.previz.solids import volume
from undercard.previz.mesh import Material
from undercard.previz.shapes import join, quad, rounded_box, smooth_normals, tube, yaw

STEEL = Material((0.3, 0.3, 0.3), 0.7, 70.0)
CLOTH = Material((0.1, 0.2, 0.3), 0.0, 1.0)


@pytest.mark.parametrize(
    ("power", "expected"),
    [(2.0, 4.0 / 3.0 * np.pi * 0.6), (60.0, 8.0 * 0.6)],
    ids=["ellipsoid", "box"],
)
def test_a_rounded_box_has_the_volume_of_what_its_power_makes_it(power: float, expected: float) -> None:
    solid = rounded_box((3.0, 0.0, 0.0), (0.5, 1.0, 1.2), STEEL, turn_degrees=30.0, power=power, detail=96)

    assert volume(solid.vertices - [3.0, 0.0, 0.0], solid.faces) == pytest.approx(expected, rel=0.03)


def test_the_normals_of_a_rounded_box_stay_square_to_it_where_it_is_stretched() -> None:
    half = np.array([0.5, 1.0, 2.0])

    solid = rounded_box((0.0, 0.0, 0.0), tuple(half), STEEL, power=2.0)

    # The gradient of x²/a² + y²/b² + z²/c².
    expected = solid.vertices / half**2
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(solid.normals, expected, atol=1e-4)


def test_a_tube_keeps_its_radius_and_faces_outward_around_an_upright_path_too() -> None:
    path = np.array([(0.2, 0.0, 0.3), (0.2, 1.0, 0.3), (0.2, 2.0, 0.3)], np.float32)

    post = tube(path, 0.05, STEEL, sides=12)

    off_axis = post.vertices[:, [0, 2]] - [0.2, 0.3]
    assert np.linalg.norm(off_axis, axis=1) == pytest.approx(0.05, abs=1e-6)
    np.testing.assert_allclose(post.normals[:, [0, 2]], off_axis / 0.05, atol=1e-5)
    assert (smooth_normals(post.vertices, post.faces) * post.normals).sum(axis=1).min() > 0.95


def test_a_large_triangle_sways_a_shared_normal_more_than_a_small_one() -> None:
    vertices = np.array([(0, 0, 0), (3, 0, 0), (0, 0, -1), (0, 1, 0)], np.float32)
    # One triangle of area 1.5 that faces up, one of area 0.5 that faces +x.
    faces = np.array([(0, 1, 2), (0, 2, 3)], np.int32)

    normal = smooth_normals(vertices, faces)[0]

    np.testing.assert_allclose(normal, np.array([1.0, 3.0, 0.0]) / np.sqrt(10.0), atol=1e-6)


def test_joined_meshes_keep_their_corners_and_their_colours() -> None:
    low = quad((-1, 0, 1), (1, 0, 1), (1, 0, -1), (-1, 0, -1), CLOTH)
    high = quad((-1, 3, 1), (1, 3, 1), (1, 3, -1), (-1, 3, -1), STEEL)

    both = join([low, high])

    heights = both.vertices[both.faces][:, :, 1]
    colours = [both.materials[index].colour for index in both.face_materials]
    assert heights.tolist() == [[0.0] * 3] * 2 + [[3.0] * 3] * 2
    assert colours == [CLOTH.colour] * 2 + [STEEL.colour] * 2


def test_yaw_turns_forward_to_the_left() -> None:
    np.testing.assert_allclose(yaw(90.0) @ (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), atol=1e-12)

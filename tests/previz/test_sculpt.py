"""Solids as signed distances, and the meshes made of them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.previz.solids import is_closed, volume
from undercard.previz.sculpt import Points, cone, ellipsoid, join, keep, surface


def points(*rows: tuple[float, float, float]) -> Points:
    return np.array(rows, np.float64)


def test_a_ball_is_as_far_away_as_its_surface() -> None:
    asked = points((0.5, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, -1.0))

    assert ellipsoid(asked, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)).tolist() == pytest.approx([-0.5, 1.0, 0.0])


def test_an_ellipsoid_is_zero_on_its_surface_however_it_is_stretched() -> None:
    turns = np.linspace(0.0, 2.0 * np.pi, 40)
    on_it = np.stack([1.0 + 0.3 * np.cos(turns), 2.0 * np.sin(turns), np.full(40, -1.0)], 1)

    assert ellipsoid(on_it, (1.0, 0.0, -1.0), (0.3, 2.0, 5.0)) == pytest.approx(0.0, abs=1e-12)


def test_the_centre_of_an_ellipsoid_lies_as_deep_as_its_least_radius() -> None:
    assert ellipsoid(points((1.0, 2.0, 3.0)), (1.0, 2.0, 3.0), (0.5, 0.2, 0.9)).tolist() == [-0.2]


def test_a_cone_is_as_thick_as_the_end_that_is_near() -> None:
    start, end = np.array([0.0, 0.0, 0.0]), np.array([0.0, 4.0, 0.0])
    asked = points((3.0, 0.0, 0.0), (3.0, 4.0, 0.0), (3.0, 2.0, 0.0), (0.0, 6.0, 0.0))

    # A radius of 1 at the start, 2 at the end, and a round cap beyond it.
    assert cone(asked, start, end, (1.0, 2.0)).tolist() == pytest.approx([2.0, 1.0, 1.5, 0.0])


def test_a_join_is_the_nearer_solid_and_fills_the_crease_between_them() -> None:
    a, b = np.array([0.1, 5.0, 1.0]), np.array([4.0, 0.2, 1.0])

    # A quarter of the blend where both are equally far.
    assert join(a, b, 0.4).tolist() == pytest.approx([0.1, 0.2, 0.9])


def test_only_what_lies_in_both_solids_is_kept() -> None:
    a, b = np.array([-3.0, -3.0, 2.0, -1.0]), np.array([-2.0, 1.0, -2.0, -1.0])

    assert keep(a, b, 0.4).tolist() == pytest.approx([-2.0, 1.0, 2.0, -0.9])


def test_the_mesh_of_a_ball_is_closed_faces_outward_and_lies_on_the_ball() -> None:
    centre = np.array([0.1, -0.2, 0.3])

    vertices, faces = surface(
        lambda p: ellipsoid(p, (0.1, -0.2, 0.3), (0.5, 0.5, 0.5)), centre - 0.6, centre + 0.6, 0.06
    )

    assert is_closed(faces)
    assert np.linalg.norm(vertices - centre, axis=1) == pytest.approx(0.5, abs=1e-5)
    assert volume(vertices - centre, faces) == pytest.approx(4.0 / 3.0 * np.pi * 0.5**3, rel=0.02)


def test_a_solid_that_comes_within_a_cell_of_its_box_is_meshed_without_holes() -> None:
    _, faces = surface(
        lambda p: ellipsoid(p, (0.0, 0.0, 0.0), (0.5, 0.5, 0.5)), np.full(3, -0.51), np.full(3, 0.51), 0.06
    )

    assert is_closed(faces)

"""Cutting, refining and joining meshes: what is cut off keeps its area, its weights and its seams."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.previz.solids import area, is_closed
from undercard.previz.cloth import PARTS, Cloth
from undercard.previz.gear import Solid
from undercard.previz.makehuman import Figurine
from undercard.previz.sculpt import ellipsoid, surface

SKIN, LIPS, BROWS = (PARTS.index(name) for name in ("skin", "lips", "brows"))


def sheet(cells: int = 4) -> Cloth:
    """Return a square metre of skin at z = 0, whose two bones carry x and 1 - x of each place."""
    x, y = (places.ravel() for places in np.meshgrid(np.linspace(0, 1, cells + 1), np.linspace(0, 1, cells + 1)))
    corner = np.arange(len(x)).reshape(cells + 1, cells + 1)
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return Cloth(np.stack([x, y, 0 * x], 1), np.stack([x, 1.0 - x], 1), faces, np.full(len(faces), SKIN))


def ball() -> Cloth:
    vertices, faces = surface(
        lambda p: ellipsoid(p, (0.0, 0.0, 0.0), (0.5, 0.5, 0.5)), np.full(3, -0.6), np.full(3, 0.6), 0.12
    )
    return Cloth(vertices, np.ones((len(vertices), 1)), faces, np.full(len(faces), SKIN))


def area_of(cloth: Cloth, part: int) -> float:
    return area(cloth.vertices, cloth.faces[cloth.parts == part])


def test_a_cut_gives_away_exactly_what_lies_beyond_the_line() -> None:
    whole = sheet()

    cut = whole.cut(whole.vertices[:, 0] + whole.vertices[:, 1] - 1.3, "lips", ["skin"])

    # A corner whose legs are 0.7 long.
    assert area_of(cut, LIPS) == pytest.approx(0.7 * 0.7 / 2.0)
    assert area_of(cut, SKIN) == pytest.approx(1.0 - 0.7 * 0.7 / 2.0)
    # New vertices have the weights of the place where they are.
    np.testing.assert_allclose(cut.weights[:, 0], cut.vertices[:, 0], atol=1e-12)


def test_a_cut_leaves_other_parts_alone() -> None:
    whole = sheet()
    mixed = replace(whole, parts=np.where(whole.vertices[whole.faces][:, :, 1].mean(1) > 0.5, BROWS, SKIN))

    cut = mixed.cut(mixed.vertices[:, 0] - 0.3, "lips", ["skin"])

    assert area_of(cut, BROWS) == pytest.approx(0.5)
    assert area_of(cut, LIPS) == pytest.approx(0.5 * 0.7)


def test_cutting_and_refining_open_no_seam() -> None:
    solid = ball()

    cut = solid.cut(solid.vertices[:, 1] - 0.123, "lips", ["skin"])
    finer = cut.finer(np.ones(len(cut.faces), np.bool_))

    assert is_closed(cut.faces)
    assert is_closed(finer.faces)
    assert len(finer.faces) == 4 * len(cut.faces)
    assert area_of(finer, LIPS) == pytest.approx(area_of(cut, LIPS))


def test_only_slivers_and_the_vertices_that_nothing_uses_are_dropped() -> None:
    whole = sheet(cells=1)
    spoilt = replace(
        whole,
        vertices=np.concatenate([[(9.0, 9.0, 9.0)], whole.vertices, [(0.5, 1e-9, 0.0)]]),
        weights=np.concatenate([[(0.0, 0.0)], whole.weights, [(0.5, 0.5)]]),
        faces=np.concatenate([whole.faces + 1, [(1, 2, 5)]]),
        parts=np.array([SKIN, LIPS, BROWS]),
    )

    clean = spoilt.without_slivers(1e-6).without_unused()

    assert clean.parts.tolist() == [SKIN, LIPS]
    np.testing.assert_array_equal(clean.vertices[clean.faces], whole.vertices[whole.faces])
    np.testing.assert_array_equal(clean.weights, whole.weights)


def test_gear_comes_in_the_parts_between_its_borders_and_hangs_on_its_sides_bones() -> None:
    figurine = Figurine(
        np.zeros((0, 3)), {}, np.zeros((0, 3)), ("pelvis", "hand_l", "hand_r"), (-1, 0, 0), np.zeros((3, 3)),
        np.zeros((3, 3)), {}, np.zeros((0, 3)),
    )  # fmt: skip
    tube = ball()
    height = tube.vertices[:, 1]
    # Cuff below, gloves above; tape is wound over the cuff's lower end.
    glove = Solid(tube.vertices, tube.faces, np.stack([height - 0.1, -0.2 - height], 1), {"hand": np.ones(len(height))})
    bare = Cloth(np.zeros((1, 3)), np.ones((1, 3)), np.zeros((0, 3), np.int64), np.zeros(0, np.int64))

    dressed = bare.with_solid(glove, figurine, (0, 1), ("cuff", "gloves", "tape"), "r")

    def heights(part: str) -> tuple[float, float]:
        found = dressed.vertices[dressed.faces[dressed.parts == PARTS.index(part)], 1]
        return float(found.min()), float(found.max())

    assert heights("gloves") == pytest.approx((0.1, 0.5), abs=0.01)
    assert heights("cuff") == pytest.approx((-0.2, 0.1), abs=1e-9)
    assert heights("tape") == pytest.approx((-0.5, -0.2), abs=0.01)
    np.testing.assert_allclose(dressed.weights[1:], np.tile([0.0, 0.0, 1.0], (len(dressed.vertices) - 1, 1)))

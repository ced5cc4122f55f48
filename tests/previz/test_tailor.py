"""The bare figurine dressed: where face, hair and trunks are, and what they hide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fakes.mannequin import EYES_Y, MOUTH_Y, TOP_Y, write_mannequin
from tests.previz.solids import area
from undercard.previz.cloth import PARTS, Cloth
from undercard.previz.makehuman import SOLE_METRES, Build, Figurine, morphed
from undercard.previz.sculpt import Points, Triangles
from undercard.previz.tailor import dressed

BUILD = Build(TOP_Y + SOLE_METRES, {}, crop_metres=0.004, beard=True, lips_metres=(0.010, 0.012))
HIPS_Y, KNEES_Y, WRISTS_X = 0.92 + SOLE_METRES, 0.5 + SOLE_METRES, 0.67


@pytest.fixture(scope="module")
def figurine(tmp_path_factory: pytest.TempPathFactory) -> Figurine:
    return morphed(write_mannequin(tmp_path_factory.mktemp("mpfb2")), BUILD)


@pytest.fixture(scope="module")
def cloth(figurine: Figurine) -> Cloth:
    return dressed(figurine, BUILD)


def faces_of(cloth: Cloth, *parts: str) -> Triangles:
    return cloth.faces[np.isin(cloth.parts, [PARTS.index(part) for part in parts])]


def vertices_of(cloth: Cloth, *parts: str) -> Points:
    return np.asarray(cloth.vertices[np.unique(faces_of(cloth, *parts))], np.float64)


def middle_of(cloth: Cloth, part: str) -> list[float]:
    return [float(value) for value in np.abs(vertices_of(cloth, part)[:, 1:]).mean(axis=0)]


def test_brows_eyes_and_lips_lie_below_each_other_at_the_front(cloth: Cloth) -> None:
    (brows, before_brows), (iris, before_iris), (lips, before_lips) = (
        middle_of(cloth, part) for part in ("brows", "iris", "lips")
    )

    assert EYES_Y + SOLE_METRES + 0.01 < brows < EYES_Y + SOLE_METRES + 0.03
    assert iris == pytest.approx(EYES_Y + SOLE_METRES, abs=0.002)
    assert lips == pytest.approx(MOUTH_Y + SOLE_METRES, abs=0.006)
    assert min(before_brows, before_iris, before_lips) > 0.07


def test_the_lips_are_as_high_as_the_build_says(figurine: Figurine, cloth: Cloth) -> None:
    fuller = dressed(figurine, replace(BUILD, lips_metres=(0.014, 0.018)))

    thin, full = (np.ptp(vertices_of(one, "lips")[:, 1]) for one in (cloth, fuller))

    # The dip in the middle takes a little off the upper lip.
    assert thin == pytest.approx(0.022, abs=0.003)
    assert full == pytest.approx(0.032, abs=0.003)


def test_only_a_build_with_a_beard_has_one(figurine: Figurine, cloth: Cloth) -> None:
    shaved = dressed(figurine, replace(BUILD, beard=False))

    assert len(faces_of(cloth, "beard")) > 0
    assert len(faces_of(shaved, "beard")) == 0
    # What the beard does not cover is skin.
    face = ("skin", "beard")
    assert area(shaved.vertices, faces_of(shaved, "skin")) == pytest.approx(
        area(cloth.vertices, faces_of(cloth, *face)), rel=1e-3
    )


def test_longer_hair_stands_farther_off_the_head(figurine: Figurine, cloth: Cloth) -> None:
    longer = dressed(figurine, replace(BUILD, crop_metres=0.020))

    short, long = (vertices_of(one, "hair")[:, 1].max() - TOP_Y - SOLE_METRES for one in (cloth, longer))

    # Uneven like cropped hair: 0.6 to 1.25 of its length.
    assert 0.0024 < short <= 0.005
    assert 0.012 < long <= 0.025


def test_trunks_reach_from_the_waist_to_above_the_knees_and_lie_outside_the_body(
    figurine: Figurine, cloth: Cloth
) -> None:
    trunks = vertices_of(cloth, "trunks", "trim")

    assert KNEES_Y < trunks[:, 1].min() < HIPS_Y < trunks[:, 1].max()
    assert trunks[:, 1].max() == pytest.approx(figurine.head("spine_02")[1], abs=0.02)
    at_the_hip = np.abs(figurine.skin()[:, 1] - HIPS_Y) < 0.05, np.abs(trunks[:, 1] - HIPS_Y) < 0.05
    widths = np.ptp(figurine.skin()[at_the_hip[0], 0]), np.ptp(trunks[at_the_hip[1], 0])
    assert 0.01 < widths[1] - widths[0] < 0.10


def test_what_gloves_boots_and_trunks_hide_is_left_out_and_both_sides_are_alike(cloth: Cloth) -> None:
    skin = vertices_of(cloth, "skin")

    assert np.abs(skin[:, 0]).max() < WRISTS_X + 0.03
    assert skin[:, 1].min() > 0.1
    assert not ((skin[:, 1] > 0.75) & (skin[:, 1] < 1.05)).any()
    for part in ("skin", "lips", "brows", "iris", "trunks", "trim"):
        middles = cloth.vertices[faces_of(cloth, part)].mean(axis=1)[:, 0]
        left, right = (area(cloth.vertices, faces_of(cloth, part)[side * middles > 0.0]) for side in (1.0, -1.0))
        assert left == pytest.approx(right, rel=0.03), part

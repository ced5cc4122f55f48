"""MakeHuman's data as a figurine: its size, its morphs, its bones and what they carry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes.mannequin import EYES_Y, TOP_Y, write_mannequin
from undercard.previz.makehuman import SOLE_METRES, Build, Figurine, morphed
from undercard.previz.sculpt import Points

TALLER_SKULL = "head/taller"


def build(height_metres: float = TOP_Y + SOLE_METRES, **targets: float) -> Build:
    """Return a build; at its own height nothing is scaled, only raised by the soles."""
    return Build(height_metres, targets, crop_metres=0.005, beard=False, lips_metres=(0.01, 0.01))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mannequin(tmp_path_factory.mktemp("mpfb2"), [TALLER_SKULL])


@pytest.fixture(scope="module")
def figurine(source: Path) -> Figurine:
    return morphed(source, build())


@pytest.mark.parametrize("height_metres", [1.60, 1.95])
def test_a_figurine_stands_on_its_soles_and_is_as_tall_as_its_build(source: Path, height_metres: float) -> None:
    heights = morphed(source, build(height_metres)).skin()[:, 1]

    assert (heights.min(), heights.max()) == pytest.approx((SOLE_METRES, height_metres), abs=1e-6)


@pytest.mark.parametrize("amount", [0.5, 1.0])
def test_a_target_moves_its_own_vertices_by_its_amount(source: Path, amount: float) -> None:
    # The target lifts the skull's top by a decimetre, and the height is kept: the eyes come to lie lower.
    shrunk = TOP_Y / (TOP_Y + 0.1 * amount)

    eye = morphed(source, build(**{TALLER_SKULL: amount})).eye("l")

    assert eye[1] == pytest.approx(SOLE_METRES + shrunk * EYES_Y, abs=1e-5)


def test_bones_begin_and_end_where_the_rigs_cubes_and_vertices_are(figurine: Figurine) -> None:
    def above_floor(place: Points) -> list[float]:
        x, y, z = (float(value) for value in place)
        return [x, y - SOLE_METRES, z]

    assert above_floor(figurine.head("calf", "l")) == pytest.approx([0.09, 0.5, 0.0], abs=1e-5)
    assert above_floor(figurine.head("calf", "r")) == pytest.approx([-0.09, 0.5, 0.0], abs=1e-5)
    # One is the mean of two vertices, the other a vertex.
    assert above_floor(figurine.tail("hand", "l")) == pytest.approx([0.83, 1.4, 0.0], abs=1e-5)
    assert above_floor(figurine.tail("hand", "r")) == pytest.approx([-0.83, 1.4, 0.0], abs=1e-5)


def test_every_bone_comes_after_its_parent_and_only_the_pelvis_has_none(figurine: Figurine) -> None:
    assert all(parent < bone for bone, parent in enumerate(figurine.parents))
    assert [name for name, parent in zip(figurine.bones, figurine.parents, strict=True) if parent < 0] == ["pelvis"]
    assert figurine.bones[figurine.parents[figurine.bones.index("lowerarm_r")]] == "upperarm_r"


def test_a_hand_carries_what_its_fingers_carried(figurine: Figurine) -> None:
    body = np.unique(figurine.groups["body"])
    left_hand = body[figurine.vertices[body, 0] > 0.70]

    assert figurine.weights[body].sum(axis=1) == pytest.approx(1.0)
    assert figurine.weights[left_hand, figurine.bones.index("hand_l")] == pytest.approx(1.0)


def test_thumb_and_calf_are_measured_across_their_bones(figurine: Figurine) -> None:
    # The thumb's root lies 5 cm along the arm and 5 cm before it.
    assert figurine.thumb("l").tolist() == pytest.approx([0.0, 0.0, 1.0], abs=1e-5)
    # The calf is 10 cm wide and 11 cm deep.
    assert 0.049 < figurine.calf_radius("r") < 0.058

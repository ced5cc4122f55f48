"""Limbs that are drawn beside the fighters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.previz.stagings import SIZE, blue, red, staged
from undercard.domain.staging import Camera, PlacedFighter
from undercard.previz import rig
from undercard.previz.figure import figure
from undercard.previz.limbs import Limb, limb_mesh
from undercard.previz.render import DRAFT, draw

RAISED = replace(red(), pose=replace(red().pose, lead_hand=(0.35, 2.1, 0.1)))
THIRD_ARM = Limb(RAISED, "arm", "lead")
LIMB = 3
WIDE = Camera((0.0, 1.5, 4.0), (0.0, 1.2, 0.0), 30.0)


@pytest.mark.parametrize(
    ("limb", "own", "others"),
    [
        (Limb(red(), "arm", "lead"), {"gloves", "skin"}, {"boots", "trunks", "hair"}),
        (Limb(red(), "leg", "rear"), {"boots", "skin", "trunks"}, {"gloves", "hair"}),
    ],
    ids=["arm", "leg"],
)
def test_a_limb_is_of_its_own_parts_only(limb: Limb, own: set[str], others: set[str]) -> None:
    mesh = limb_mesh(limb)

    names = {rig.load("red").part_names[part] for part in np.unique(mesh.face_materials)}

    assert own <= names
    assert not others & names


@pytest.mark.parametrize(("fighter", "wrist"), [(red("rest"), 9), (blue("rest"), 10)], ids=["orthodox", "southpaw"])
def test_the_lead_arm_is_on_the_side_that_leads(fighter: PlacedFighter, wrist: int) -> None:
    mesh = limb_mesh(Limb(fighter, "arm", "lead"))

    shown = mesh.vertices[np.unique(mesh.faces)]
    own, other = (np.linalg.norm(shown - figure(fighter, None).joints[each], axis=1) for each in (wrist, 19 - wrist))
    assert own.min() < 0.1 < other.min()


def test_a_limb_is_drawn_where_its_pose_has_it_and_is_nobodys() -> None:
    frame = draw(staged(camera=WIDE), SIZE, 1, DRAFT, (THIRD_ARM,))

    ys, xs = np.nonzero(frame.fighters == LIMB)
    without = draw(staged(camera=WIDE), SIZE, 1, DRAFT)
    assert len(ys) > 30
    assert ys.min() < np.nonzero(without.fighters == 1)[0].min()
    assert np.abs(frame.image[ys, xs].astype(int) - without.image[ys, xs]).max() > 50


def test_joints_stay_where_they_were_and_an_arm_before_them_hides_them() -> None:
    across = replace(red(), pose=replace(red().pose, lead_hand=(0.0, 1.6, 0.35)))

    with_arm = draw(staged(), SIZE, 1, DRAFT, (Limb(across, "arm", "lead"),)).keypoints[0]
    without = draw(staged(), SIZE, 1, DRAFT).keypoints[0]

    assert (with_arm.xy == without.xy).all()
    hidden = {
        joint: with_arm.occluded_by[joint]
        for joint in range(17)
        if with_arm.occluded_by[joint] != without.occluded_by[joint]
    }
    assert hidden == {9: "Rojas"}


def test_without_limbs_the_picture_is_what_it_was() -> None:
    plain = draw(staged(), SIZE, 1, DRAFT)

    assert draw(staged(), SIZE, 1, DRAFT, ()).image.tobytes() == plain.image.tobytes()
    assert draw(staged(), SIZE, 1, DRAFT, (THIRD_ARM,)).image.tobytes() != plain.image.tobytes()

"""Maps of joints, before photographs of people and of none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.gate.vision.photographs import photograph, side_by_side
from undercard.gate.vision.heat import KINDS, Heat, Peak, heat, inside
from undercard.gate.vision.pose import JOINTS, Pixels

HEAD = 0


def heads(pixels: Pixels) -> list[Peak]:
    return [peak for peak in heat(pixels).peaks(0.3) if peak.kind == HEAD]


def test_every_joint_is_of_the_kind_of_its_name() -> None:
    named = {JOINTS[joint] for name, joints in KINDS[1:] for joint in joints if name in JOINTS[joint]}

    assert named == set(JOINTS[5:])


def test_the_face_of_a_woman_before_a_flag_is_hot_and_nothing_else() -> None:
    found = heads(photograph("astronaut"))

    assert found
    # Read off the photograph, 448 px wide.
    assert all(inside(peak, (160, 60, 235, 150), 10.0) for peak in found)


def test_the_nose_is_near_where_it_is() -> None:
    assert heat(photograph("astronaut")).near(JOINTS.index("nose"), 198, 102, 30).heat > 0.3


def test_a_cup_of_coffee_has_no_head() -> None:
    assert heads(photograph("coffee")) == []


def test_two_people_in_one_picture_have_heads_in_either_half() -> None:
    sides = {peak.x > 448 for peak in heads(side_by_side("cameraman", "astronaut"))}

    assert sides == {False, True}


def test_a_picture_of_any_shape_is_looked_at() -> None:
    assert list(heat(np.full((3, 500, 3), 128, np.uint8)).peaks()) == []


def test_beside_the_picture_there_is_no_joint() -> None:
    everywhere = Heat(np.ones((17, 8, 8), np.float32), 10.0)

    assert everywhere.near(0, 40.0, 40.0, 5.0).heat == 1.0
    assert everywhere.near(0, 900.0, 40.0, 5.0).heat == 0.0


def test_a_peak_is_the_hottest_cell_of_its_kind() -> None:
    maps = np.zeros((17, 20, 20), np.float32)
    maps[5, 4, 6], maps[5, 4, 7], maps[6, 12, 3] = 0.4, 0.6, 0.3

    peaks = list(Heat(maps, 2.0).peaks())

    assert [(peak.kind, peak.x, peak.y) for peak in peaks] == [(1, 15.0, 9.0), (1, 7.0, 25.0)]
    assert [peak.heat for peak in peaks] == pytest.approx([0.6, 0.3])

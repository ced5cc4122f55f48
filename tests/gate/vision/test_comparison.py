"""Joints of one picture held to another's: of maps that are made for it, and of photographs."""

from __future__ import annotations

import numpy as np
import pytest

from tests.gate.vision.photographs import photograph, side_by_side
from tests.gate.vision.test_adherence import STANDING, beside, moved, target
from undercard.gate.vision.adherence import MIRRORED, Target
from undercard.gate.vision.comparison import presence, reading, surplus
from undercard.gate.vision.heat import Heat, heat
from undercard.gate.vision.networks import Floats
from undercard.gate.vision.pose import look_closely

CELL = 5.0
ALL = np.ones(17, bool)


def hot(*bodies: Floats, least: float = 0.8) -> Heat:
    """Return maps with a spot for each joint of *bodies*, 400 px across and 300 down."""
    maps = np.zeros((17, 60, 80), np.float32)
    for xy in bodies:
        for joint, (x, y) in enumerate(xy):
            maps[joint, int(y / CELL), int(x / CELL)] = least
    return Heat(maps, CELL)


def test_who_does_as_in_the_control_image_keeps_all_joints() -> None:
    found = reading(hot(STANDING), hot(STANDING), target(), ALL)

    assert found.trusted.all()
    assert found.fit == 1.0


def test_a_joint_elsewhere_is_not_held() -> None:
    raised = moved(left_wrist=(0, -90), left_elbow=(0, -60))

    found = reading(hot(raised), hot(STANDING), target(), ALL)

    assert found.fit == pytest.approx(15 / 17)
    assert not found.held[[7, 9]].any()


def test_what_the_network_does_not_see_in_the_control_image_has_no_say() -> None:
    asked = hot(STANDING)
    asked.maps[[9, 10]] = 0.0

    found = reading(hot(moved(left_wrist=(0, -90))), asked, target(), ALL)

    assert not found.trusted[[9, 10]].any()
    assert found.fit == 1.0


def test_hidden_and_burnt_out_joints_have_no_say() -> None:
    clear = np.arange(17) != 9

    found = reading(hot(moved(left_wrist=(0, -90))), hot(STANDING), target(hidden=("right wrist",)), clear)

    assert found.trusted.sum() == 15
    assert found.fit == 1.0


def test_left_that_looks_like_right_is_exchanged() -> None:
    asked, exchanged = hot(STANDING), hot(STANDING)
    asked.maps[MIRRORED] = np.maximum(asked.maps[MIRRORED], asked.maps * 0.7)
    exchanged.maps[:] = asked.maps[MIRRORED]

    found = reading(exchanged, asked, target(), ALL)

    assert reading(asked, asked, target(), ALL).fit == 1.0
    assert found.exchanged[5:].all()
    assert not found.held[5:].any()


def test_nobody_else_leaves_nothing_over() -> None:
    assert surplus(hot(STANDING), hot(STANDING), [target()]).score == 0.0


def test_one_more_body_is_left_over_where_it_stands() -> None:
    found = surplus(hot(STANDING, beside(STANDING, 200)), hot(STANDING), [target()])

    assert found.score == pytest.approx(7 * 0.8)
    assert found.box is not None
    assert found.box[0] > 220


def test_another_pose_leaves_less_over_than_another_body() -> None:
    crouching = moved(left_wrist=(60, -60), left_elbow=(60, -60), left_knee=(60, 0), left_ankle=(60, 0))

    assert surplus(hot(crouching), hot(STANDING), [target()]).score < 4 * 0.8


def test_what_the_control_image_has_as_well_is_nobody_too_many() -> None:
    post = beside(STANDING, 200)

    assert surplus(hot(STANDING, post), hot(STANDING, post), [target()]).score == 0.0


def test_joints_as_far_apart_as_no_body_is_are_not_added_up() -> None:
    specks = hot(STANDING)
    specks.maps[0, 2, 78], specks.maps[15, 58, 40] = 0.5, 0.5

    assert surplus(specks, hot(STANDING), [target()]).score == pytest.approx(0.5)


def test_who_is_gone_is_not_present_and_who_moves_his_arms_is() -> None:
    arms_up = moved(left_wrist=(0, -90), right_wrist=(0, -50))

    assert presence(hot(), hot(STANDING), target(), []) == 0.0
    assert presence(hot(arms_up), hot(STANDING), target(), []) > 0.8


def test_another_fighters_joints_do_not_stand_in_for_his() -> None:
    other = Target("Okafor", beside(STANDING, 30), ALL, ALL)

    assert presence(hot(other.xy), hot(STANDING, other.xy), target(), [other]) < 0.2


def test_in_photographs_a_woman_beside_the_man_is_one_too_many() -> None:
    pair = heat(side_by_side("cameraman", "astronaut"))
    alone = heat(side_by_side("cameraman", "coffee"))

    assert surplus(pair, alone, []).score > 1.0
    assert surplus(alone, alone, []).score == 0.0


def test_in_photographs_a_mirrored_woman_does_not_hold_her_joints() -> None:
    pixels = photograph("astronaut")
    person = look_closely(pixels, (0, 0, 448, 448))
    sure = person.scores > 0.3
    woman, asked = Target("Collins", person.xy, sure, sure), heat(pixels)

    mirrored = reading(heat(np.ascontiguousarray(pixels[:, ::-1])), asked, woman, ALL)

    assert reading(asked, asked, woman, ALL).fit == 1.0
    assert mirrored.trusted.sum() >= 5
    assert mirrored.fit < 0.5

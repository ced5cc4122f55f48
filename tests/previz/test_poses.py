"""The pose library."""

from __future__ import annotations

import math

import pytest

from undercard.errors import BadInput
from undercard.previz import poses

NEEDED = {
    *("guard", "jab", "cross", "lead_hook", "rear_hook", "lead_uppercut"),
    *("rear_uppercut", "body_jab", "body_hook", "slip_left", "slip_right", "duck"),
    *("lean_back", "block", "clinch", "stagger", "hurt", "knockdown"),
    *("down", "count", "rest", "walk_lead", "walk_rear", "bow"),
    *("victory", "raised", "touch", "bounce_up", "bounce_down"),
    *("open_guard", "coil", "coil_lead", "coil_low", "winded", "sit_up"),
}


def test_the_library_holds_every_pose_a_fight_needs() -> None:
    assert set(poses.names()) >= NEEDED


@pytest.mark.parametrize("name", poses.names())
def test_a_pose_says_in_one_line_what_it_is(name: str) -> None:
    card = poses.pose_card(name)

    assert card
    assert "\n" not in card
    assert len(card) <= 100


@pytest.mark.parametrize("name", poses.names())
def test_what_strikes_has_a_target_and_nothing_else_has(name: str) -> None:
    assert (poses.strike(name) is None) == (poses.target(name) is None)


def test_punches_know_their_fist() -> None:
    fists = {name: poses.strike(name) for name in ("jab", "cross", "body_hook", "rear_uppercut", "guard")}

    assert fists == {"jab": "lead", "cross": "rear", "body_hook": "lead", "rear_uppercut": "rear", "guard": None}


def test_tuning_adds_to_a_field_and_leaves_the_others() -> None:
    plain = poses.pose("jab")

    tuned = poses.pose("jab", {"lead_hand": [0, 0.1, 0]})

    assert tuned.lead_hand == pytest.approx((plain.lead_hand[0], plain.lead_hand[1] + 0.1, plain.lead_hand[2]))
    assert tuned.rear_hand == plain.rear_hand


def test_an_entry_takes_what_it_leaves_out_from_its_base() -> None:
    assert poses.pose("jab").rear_foot == poses.pose("guard").rear_foot


def test_an_unknown_pose_is_named_with_the_nearest_ones() -> None:
    with pytest.raises(BadInput, match=r"no pose 'leed_hook'; did you mean lead_hook"):
        poses.pose("leed_hook")


def test_a_hopeless_name_gets_the_whole_list() -> None:
    with pytest.raises(BadInput, match=r"use one of guard, .*victory"):
        poses.pose_card("xyzzyq")


def test_tuning_an_unknown_field_names_the_nearest_one() -> None:
    with pytest.raises(BadInput, match=r"pose 'jab': cannot tune 'leadhand'; did you mean lead_hand"):
        poses.pose("jab", {"leadhand": [0, 0, 0]})


@pytest.mark.parametrize("offset", [[0, 1], [0, 0, 0, 0], [0, math.nan, 0], [0, math.inf, 0], "abc"])
def test_tuning_by_anything_but_three_numbers_is_refused(offset: list[float]) -> None:
    with pytest.raises(BadInput, match=r"pose 'jab': lead_hand is tuned by .*three finite numbers"):
        poses.pose("jab", {"lead_hand": offset})


def test_the_standing_foot_stays_where_it_is_through_a_step_of_half_a_metre() -> None:
    step = [poses.pose(name).lead_foot for name in ("walk_lead", "walk_pass_rear", "walk_rear")]

    placed = [(x, y, z + advance) for (x, y, z), advance in zip(step, (0.0, 0.25, 0.5), strict=True)]

    assert placed == [placed[0]] * 3


def test_the_hips_of_a_walker_rise_and_his_other_foot_clears_the_canvas_in_mid_step() -> None:
    planted, passing = poses.pose("walk_rear"), poses.pose("walk_pass_lead")

    assert passing.pelvis[1] > planted.pelvis[1] + 0.03
    assert passing.lead_foot[1] > planted.lead_foot[1] + 0.05


def test_an_open_guard_bares_the_chin_and_keeps_the_rest_of_the_guard() -> None:
    closed, opened = poses.pose("guard"), poses.pose("open_guard")

    assert opened.lead_hand[0] - opened.rear_hand[0] > closed.lead_hand[0] - closed.rear_hand[0] + 0.1
    assert opened.spine_turn == closed.spine_turn
    assert opened.lead_foot == closed.lead_foot

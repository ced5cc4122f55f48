from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.stagings import STANDING, fighter, staging
from undercard.domain.staging import Aim, between

ANGLES = st.floats(-720.0, 720.0)


def test_half_way_every_number_is_the_mean() -> None:
    bowed = replace(STANDING, pelvis=(0.0, -0.4, 0.1), lead_hand=(0.1, 1.1, 0.7))
    start = staging(fighter(pose=STANDING), lens_mm=30.0)
    end = staging(replace(fighter(pose=bowed), position=(0.0, 0.4), rear_aim=Aim(head=1.0)), lens_mm=50.0)

    middle = between(start, end, 0.5)

    assert middle.camera.lens_mm == pytest.approx(40.0)
    assert middle.fighters[0].pose.pelvis == pytest.approx((0.0, -0.2, 0.05))
    assert middle.fighters[0].pose.lead_hand == pytest.approx((0.1, 1.3, 0.5))
    assert middle.fighters[0].position == pytest.approx((-0.3, 0.2))
    assert middle.fighters[0].rear_aim.head == pytest.approx(0.5)


@given(first=ANGLES, second=ANGLES, lens_mm=st.floats(10.0, 200.0))
def test_the_ends_are_the_keyframes_to_the_last_bit(first: float, second: float, lens_mm: float) -> None:
    start, end = staging(fighter(first)), staging(fighter(second), lens_mm=lens_mm)

    assert between(start, end, 0.0) == start
    assert between(start, end, 1.0) == end


@given(first=ANGLES, second=ANGLES, t=st.floats(0.0, 1.0, exclude_max=True))
def test_a_fighter_never_turns_more_than_half_round(first: float, second: float, t: float) -> None:
    facing = between(staging(fighter(first)), staging(fighter(second)), t).fighters[0].facing_degrees

    assert abs(facing - first) <= 180.0 * t + 1e-6


def test_a_fighter_turns_the_short_way_through_north() -> None:
    middle = between(staging(fighter(350.0)), staging(fighter(10.0)), 0.25)

    assert middle.fighters[0].facing_degrees == pytest.approx(355.0)


def test_what_is_no_number_stays() -> None:
    middle = between(staging(fighter(0.0)), staging(fighter(90.0)), 0.5)

    assert middle.fighters[0].name == "Rojas"
    assert middle.fighters[0].look == fighter().look
    assert middle.light == "title"


def test_going_past_the_end_overshoots() -> None:
    overshot = between(staging(lens_mm=30.0), staging(lens_mm=40.0), 1.1)

    assert overshot.camera.lens_mm == pytest.approx(41.0)


@pytest.mark.parametrize("t", [0.0, 0.5, 1.0])
def test_another_light_within_a_shot_is_refused_by_name(t: float) -> None:
    with pytest.raises(ValueError, match=r"'title'.*'training'.*cut instead"):
        between(staging(), staging(light="training"), t)


def test_other_fighters_within_a_shot_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"Rojas.*Okafor.*cut instead"):
        between(staging(fighter(name="Rojas")), staging(fighter(name="Okafor")), 0.5)


def test_a_fighter_who_leaves_within_a_shot_is_refused() -> None:
    with pytest.raises(ValueError, match="cut instead"):
        between(staging(fighter(), fighter(name="Okafor")), staging(fighter()), 0.5)

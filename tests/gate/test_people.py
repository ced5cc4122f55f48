"""Count, strangers and poses before previz keyframes: as asked for, and with somebody missing, added or otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.gate.pictures import exposed
from tests.previz.stagings import blue, red, staged
from undercard.domain.staging import Camera, PlacedFighter
from undercard.errors import BadInput
from undercard.gate.checks import count, pose, stranger
from undercard.gate.contract import Check, Fault, Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.people import cast_of
from undercard.gate.pictures import Pixels
from undercard.gate.vision.comparison import Surplus
from undercard.gate.vision.heat import Peak
from undercard.previz.frame import Frame
from undercard.previz.maps import keypoints_json
from undercard.previz.render import draw

SIZE = (512, 288)
WIDE = Camera((0.0, 1.5, 5.0), (0.0, 1.0, 0.0), 35.0)
FROM_ABOVE = Camera((0.0, 5.7, 0.01), (0.0, 0.6, 0.0), 35.0)
HIGH = Camera((1.6, 4.2, 3.4), (0.0, 0.9, 0.0), 35.0)
RED, BLUE = red("jab", (-0.75, 0.0)), blue("open_guard", (0.75, 0.0))
GUEST = replace(red("rest", (0.0, 0.3), facing=0.0), name="Stranger")
CHECKS: tuple[Check, ...] = (count.CHECK, stranger.CHECK, pose.CHECK)


@cache
def frame(*fighters: PlacedFighter, camera: Camera = WIDE) -> Frame:
    return draw(staged(*fighters, camera=camera), SIZE, seed=1)


def keypoints(of: Frame) -> Mapping[str, object]:
    loaded: Mapping[str, object] = json.loads(keypoints_json(of))
    return loaded


def evidence(pixels: Pixels, asked: Frame | None = None, *, draws_itself: bool = False) -> Evidence:
    given = asked or frame(RED, BLUE)
    return Evidence(pixels, SIZE, keypoints=keypoints(given), control=given.image, draws_itself=draws_itself)


def counted(pixels: Pixels, asked: Frame | None = None) -> Finding:
    return count.CHECK.examine(evidence(pixels, asked))


def strangers(pixels: Pixels, asked: Frame | None = None) -> Finding:
    return stranger.CHECK.examine(evidence(pixels, asked))


def posed(pixels: Pixels, asked: Frame | None = None) -> Finding:
    return pose.CHECK.examine(evidence(pixels, asked))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_two_who_do_as_they_should_pass_and_are_judged(check: Check) -> None:
    finding = check.examine(evidence(frame(RED, BLUE).image))

    assert finding.passed
    assert finding.judged


def test_a_missing_fighter_is_named_and_his_place_shown() -> None:
    finding = counted(frame(RED).image)

    assert finding.fault is Fault.WRONG_COUNT
    assert "Okafor is missing" in finding.cause
    assert finding.region is not None
    assert finding.region[0] > SIZE[0] / 2


def test_an_empty_ring_misses_both() -> None:
    assert counted(frame(replace(RED, position=(0.0, 30.0))).image).score == 2.0


def test_who_does_something_else_is_not_missing() -> None:
    assert counted(frame(RED, replace(BLUE, pose=red("victory").pose)).image).passed


def test_a_third_fighter_is_one_too_many_and_his_place_shown() -> None:
    finding = strangers(frame(RED, BLUE, GUEST).image)

    assert finding.fault is Fault.WRONG_COUNT
    assert "head" in finding.cause
    assert finding.region is not None
    left, _, width, _ = finding.region
    assert abs(left + width / 2 - SIZE[0] / 2) < SIZE[0] / 8


def test_a_third_fighter_whom_another_half_hides_is_found() -> None:
    behind = replace(GUEST, position=(-1.0, -0.5))

    assert strangers(frame(RED, BLUE, behind).image).fault is Fault.WRONG_COUNT


def test_a_third_fighter_seen_from_a_high_camera_is_found() -> None:
    asked = frame(RED, BLUE, camera=HIGH)

    assert strangers(frame(RED, BLUE, GUEST, camera=HIGH).image, asked).fault is Fault.WRONG_COUNT


@pytest.mark.parametrize(("kind", "fault"), [(0, Fault.WRONG_COUNT), (2, None)], ids=["head", "elbow"])
def test_who_has_neither_head_nor_shoulder_nor_hip_is_nobody(
    kind: int, fault: Fault | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = evidence(frame(RED, BLUE).image)
    cast = cast_of(looked)
    assert cast is not None
    peaks = (Peak(kind, 256.0, 100.0, 0.7), Peak(3, 256.0, 120.0, 0.8))
    monkeypatch.setattr(stranger, "cast_of", lambda _evidence: replace(cast, surplus=Surplus(1.5, peaks)))

    assert stranger.CHECK.examine(looked).fault is fault


def test_the_crowd_does_not_count() -> None:
    alone = frame(RED)

    assert strangers(alone.image, alone).passed


def test_another_pose_is_rejected_with_the_joints_that_are_off() -> None:
    finding = posed(frame(RED, replace(BLUE, pose=red("victory").pose)).image)

    assert finding.fault is Fault.WRONG_POSE
    assert "Okafor is in another pose" in finding.cause
    assert "out of place" in finding.cause


def test_another_pose_on_the_floor_is_rejected() -> None:
    fallen = blue("down", (0.75, 0.0))
    asked = frame(RED, fallen)

    assert posed(asked.image, asked).judged
    assert posed(frame(RED, replace(fallen, pose=red("sit_up").pose)).image, asked).fault is Fault.WRONG_POSE


def test_an_orthodox_stance_in_place_of_a_southpaws_is_rejected() -> None:
    inside = Camera((0.0, 1.3, 2.0), (0.0, 0.9, -1.2), 30.0)
    southpaw = blue("jab", (0.0, -1.2), facing=20.0)
    asked = frame(southpaw, camera=inside)
    other = frame(replace(southpaw, stance="orthodox"), camera=inside)

    assert posed(asked.image, asked).passed
    assert posed(other.image, asked).fault is Fault.WRONG_POSE


def test_a_picture_of_another_size_is_held_to_the_same_joints() -> None:
    large = draw(staged(RED, BLUE, camera=WIDE), (768, 432), seed=1).image

    assert posed(large).score >= 0.9


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_fighters_seen_from_straight_above_are_not_judged(check: Check) -> None:
    above = frame(RED, BLUE, camera=FROM_ABOVE)

    assert not check.examine(evidence(frame(RED, camera=FROM_ABOVE).image, above)).judged


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_where_nobody_said_who_should_be_nothing_is_judged(check: Check) -> None:
    assert not check.examine(Evidence(frame(RED).image, SIZE, control=frame(RED, BLUE).image)).judged


def test_the_previz_is_not_checked_against_itself() -> None:
    assert not count.CHECK.examine(evidence(frame(RED).image, draws_itself=True)).judged


def test_a_thumbnail_is_not_judged() -> None:
    assert not counted(frame(RED).image[::4, ::4].copy()).judged


def test_keypoints_that_are_none_are_refused_with_what_to_do() -> None:
    nothing = np.zeros((288, 512, 3), np.uint8)

    with pytest.raises(BadInput, match="draw the keyframe's control images again"):
        pose.CHECK.examine(Evidence(nothing, SIZE, keypoints={"fighters": []}, control=nothing))


def test_nobody_is_missing_where_the_picture_is_burnt_out() -> None:
    burnt = frame(RED, BLUE).image.copy()
    burnt[:, SIZE[0] // 2 :] = 250

    assert counted(burnt).passed


@pytest.mark.parametrize(("gain", "offset"), [(8.0, 0.0), (1 / 3, 160.0)], ids=["burnt out", "pale"])
def test_who_is_drawn_burnt_out_or_as_pale_as_the_canvas_is_not_judged(gain: float, offset: float) -> None:
    asked = frame(RED, BLUE)
    him = asked.fighters == 2 if gain > 1.0 else np.s_[:, SIZE[0] // 2 :]
    control = asked.image.copy()
    control[him] = exposed(control[him], gain, offset)

    finding = count.CHECK.examine(Evidence(frame(RED).image, SIZE, keypoints=keypoints(asked), control=control))

    assert not finding.judged


def test_a_fighter_who_is_missing_from_a_dark_hall_is_missed() -> None:
    dark = draw(replace(staged(RED, BLUE, camera=WIDE), light="night"), SIZE, seed=1)
    without = draw(replace(staged(RED, camera=WIDE), light="night"), SIZE, seed=1)

    assert counted(without.image, dark).fault is Fault.WRONG_COUNT


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_noise_in_which_nobody_can_be_told_is_no_fault_of_the_people(check: Check) -> None:
    grain = np.random.default_rng(1).normal(0.0, 60.0, (SIZE[1], SIZE[0], 3))
    noisy = np.clip(frame(RED, BLUE).image + grain, 0, 255).astype(np.uint8)

    assert check.examine(evidence(noisy)).passed

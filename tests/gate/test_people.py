"""Count and pose before previz keyframes: as asked for, and with somebody missing, added, or doing something else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.previz.stagings import blue, red, staged
from undercard.errors import BadInput
from undercard.gate import Evidence, Fault, Finding, Pixels, count, pose
from undercard.gate._evidence import PREVIZ
from undercard.previz.frame import Frame
from undercard.previz.maps import keypoints_json
from undercard.previz.render import draw
from undercard.staging import Camera, PlacedFighter

SIZE = (512, 288)
WIDE = Camera((0.0, 1.5, 5.0), (0.0, 1.0, 0.0), 35.0)
FROM_ABOVE = Camera((0.0, 5.7, 0.01), (0.0, 0.6, 0.0), 35.0)
RED, BLUE = red("jab", (-0.75, 0.0)), blue("open_guard", (0.75, 0.0))


@cache
def frame(*fighters: PlacedFighter, camera: Camera = WIDE) -> Frame:
    return draw(staged(*fighters, camera=camera), SIZE, seed=1)


def keypoints(of: Frame) -> Mapping[str, object]:
    loaded: Mapping[str, object] = json.loads(keypoints_json(of))
    return loaded


def evidence(pixels: Pixels, asked: Frame | None = None, backend: str = "") -> Evidence:
    return Evidence(pixels, SIZE, keypoints=keypoints(asked or frame(RED, BLUE)), backend=backend)


def counted(pixels: Pixels, asked: Frame | None = None) -> Finding:
    return count.CHECK.examine(evidence(pixels, asked))


def posed(pixels: Pixels, asked: Frame | None = None) -> Finding:
    return pose.CHECK.examine(evidence(pixels, asked))


def test_two_who_do_as_they_should_pass() -> None:
    assert counted(frame(RED, BLUE).image).passed
    assert posed(frame(RED, BLUE).image).score >= 0.9


def test_a_missing_fighter_is_named_and_his_place_shown() -> None:
    finding = counted(frame(RED).image)

    assert finding.fault is Fault.WRONG_COUNT
    assert "Okafor is missing" in finding.cause
    assert finding.region is not None
    assert finding.region[0] > SIZE[0] / 2


def test_a_third_fighter_is_one_too_many() -> None:
    third = replace(red("rest", (0.0, 0.3), facing=0.0), name="Stranger")

    finding = counted(frame(RED, BLUE, third).image)

    assert finding.fault is Fault.WRONG_COUNT
    assert "somebody too many" in finding.cause


def test_an_empty_ring_misses_both() -> None:
    finding = counted(frame(replace(RED, position=(0.0, 30.0))).image)

    assert finding.score == 2.0


def test_the_crowd_does_not_count() -> None:
    alone = frame(RED)

    assert counted(alone.image, alone).passed


def test_another_pose_is_rejected_with_the_joints_that_are_off() -> None:
    finding = posed(frame(RED, replace(BLUE, pose=red("victory").pose)).image)

    assert finding.fault is Fault.WRONG_POSE
    assert "Okafor is in another pose" in finding.cause
    assert "out of place" in finding.cause


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


def test_fighters_seen_from_above_are_not_judged() -> None:
    above = frame(RED, BLUE, camera=FROM_ABOVE)
    other = frame(RED, replace(BLUE, pose=red("victory").pose), camera=FROM_ABOVE)

    assert posed(other.image, above).passed
    assert counted(frame(RED, camera=FROM_ABOVE).image, above).passed


@pytest.mark.parametrize("check", [count.CHECK, pose.CHECK], ids=["count", "pose"])
def test_where_nobody_said_who_should_be_nothing_is_rejected(check: count.Count | pose.WrongPose) -> None:
    assert check.examine(Evidence(frame(RED).image, SIZE)).passed


def test_the_previz_is_not_checked_against_itself() -> None:
    assert count.CHECK.examine(evidence(frame(RED).image, backend=PREVIZ)).passed


def test_a_thumbnail_is_not_judged() -> None:
    assert counted(frame(RED).image[::4, ::4].copy()).passed


def test_keypoints_that_are_none_are_refused_with_what_to_do() -> None:
    with pytest.raises(BadInput, match="draw the keyframe's control images again"):
        pose.CHECK.examine(Evidence(np.zeros((288, 512, 3), np.uint8), SIZE, keypoints={"fighters": []}))

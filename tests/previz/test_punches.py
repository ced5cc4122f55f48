"""What makes a punch: its shape, and a fist that meets what it is aimed at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.previz.boxers import (
    LEFT_SHOULDER,
    LEFT_WRIST,
    NOSE,
    RIGHT_ANKLE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
    drawn,
    part,
    placed,
)
from undercard.domain.staging import Aim, Staging, Stance, between
from undercard.domain.staging import Camera as StageCamera
from undercard.previz import poses
from undercard.previz.figure import Figure, figure


@pytest.mark.parametrize(
    ("name", "wrist", "other"),
    [("jab", LEFT_WRIST, RIGHT_WRIST), ("cross", RIGHT_WRIST, LEFT_WRIST), ("body_jab", LEFT_WRIST, RIGHT_WRIST)],
)
def test_a_straight_reaches_out_and_leaves_the_other_glove_at_the_face(name: str, wrist: int, other: int) -> None:
    joints = drawn(poses.pose(name)).joints

    assert joints[wrist][2] > 0.8
    assert np.linalg.norm(joints[other] + [0.0, 0.09, 0.0] - joints[NOSE]) < 0.25


@pytest.mark.parametrize(("name", "shoulder", "elbow"), [("lead_hook", 5, 7), ("rear_hook", 6, 8)])
def test_a_hook_is_square_at_shoulder_height(name: str, shoulder: int, elbow: int) -> None:
    joints = drawn(poses.pose(name)).joints

    upper, lower = joints[elbow] - joints[shoulder], joints[elbow + 2] - joints[elbow]
    bend = np.degrees(np.arccos(upper @ lower / np.linalg.norm(upper) / np.linalg.norm(lower)))

    assert 70.0 < bend < 115.0
    assert abs(joints[elbow][1] - joints[shoulder][1]) < 0.12


@pytest.mark.parametrize("name", ["cross", "rear_hook", "rear_uppercut"])
def test_a_rear_punch_brings_the_rear_shoulder_through_and_lifts_the_rear_heel(name: str) -> None:
    joints, guard = drawn(poses.pose(name)).joints, drawn(poses.pose("guard")).joints

    assert joints[RIGHT_SHOULDER][2] > joints[LEFT_SHOULDER][2] + 0.1
    assert guard[RIGHT_SHOULDER][2] < guard[LEFT_SHOULDER][2] - 0.1
    assert joints[RIGHT_ANKLE][1] > guard[RIGHT_ANKLE][1] + 0.02


def aimed(name: str, distance: float, weight: float = 1.0, stance: Stance = "orthodox") -> tuple[Figure, Figure]:
    """Return a striker at the origin and an opponent on guard *distance* metres before it."""
    aim = Aim(**{str(poses.target(name)): weight})
    lead = poses.strike(name) == "lead"
    striker = replace(
        placed(poses.pose(name), stance=stance),
        lead_aim=aim if lead else Aim(),
        rear_aim=Aim() if lead else aim,
    )
    other = placed(poses.pose("rest"), "blue", position=(0.0, distance), facing=180.0)
    return figure(striker, other), figure(other, striker)


def gap(striker: Figure, other: Figure, parts: tuple[str, ...]) -> tuple[float, float]:
    """Return the least distance from the nearer glove to the skin, and how deep the glove's middle is before it."""
    skin = np.concatenate([part(other, name, "blue") for name in parts])
    gloves = part(striker, "gloves")
    skin = skin[np.linalg.norm(skin - gloves.mean(0), axis=1) < 3.0]
    distances = [float(np.linalg.norm(skin - point, axis=1).min()) for point in gloves[::5]]
    near = gloves[::5][int(np.argmin(distances))]
    fist = gloves[np.linalg.norm(gloves - near, axis=1) < 0.17].mean(0)
    return min(distances), float(np.linalg.norm(skin - fist, axis=1).min())


PUNCHES = [name for name in poses.names() if poses.strike(name)]


@pytest.mark.parametrize("stance", ["orthodox", "southpaw"])
@pytest.mark.parametrize("name", PUNCHES)
def test_an_aimed_fist_touches_without_sinking_in(name: str, stance: Stance) -> None:
    striker, other = aimed(name, 0.95, stance=stance)

    parts = ("skin", "lips", "beard") if poses.target(name) == "head" else ("skin", "trim")
    nearest, middle = gap(striker, other, parts)

    assert nearest < 0.035
    assert middle > 0.03


def test_a_half_aimed_fist_is_half_way() -> None:
    wrists = [aimed("cross", 0.95, weight)[0].joints[RIGHT_WRIST] for weight in (0.0, 0.5, 1.0)]

    way = np.linalg.norm(wrists[2] - wrists[0])

    assert np.linalg.norm(wrists[1] - (wrists[0] + wrists[2]) / 2) < 0.15 * way + 0.02


def test_an_opponent_out_of_reach_is_not_touched() -> None:
    striker, other = aimed("jab", 2.4)

    assert gap(striker, other, ("skin", "lips"))[0] > 0.5


def test_without_an_opponent_an_aim_changes_nothing() -> None:
    striker = replace(placed(poses.pose("jab")), lead_aim=Aim(head=1.0))

    assert (figure(striker, None).joints == drawn(poses.pose("jab")).joints).all()


def test_a_punch_travels_without_jumps() -> None:
    other = placed(poses.pose("guard"), "blue", position=(0.0, 1.15), facing=180.0)
    camera = StageCamera((0.0, 1.0, 4.0), (0.0, 1.0, 0.0), 35.0)
    start = Staging(camera, (placed(poses.pose("guard")), other), "stage")
    end = Staging(camera, (replace(placed(poses.pose("lead_hook")), lead_aim=Aim(head=1.0)), other), "stage")

    frames = [between(start, end, k / 12).fighters for k in range(13)]
    joints = np.stack([figure(striker, opponent).joints for striker, opponent in frames])

    steps = np.linalg.norm(np.diff(joints, axis=0), axis=2)
    assert steps.max() < 0.15

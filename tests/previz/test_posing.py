"""Where a pose puts the joints: which way a turn goes, how far an arm reaches, and what any pose leaves sound."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.previz.boxers import (
    LEFT_ANKLE,
    LEFT_EAR,
    LEFT_EYE,
    LEFT_KNEE,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NOSE,
    RIGHT_SHOULDER,
    drawn,
    placed,
)
from undercard.domain.staging import Aim, Pose, Stance, Vec3
from undercard.previz import poses, rig, rotations
from undercard.previz.figure import figure
from undercard.previz.posing import bend

UPRIGHT = {"pelvis_turn": [4.0, 0.0, 0.0], "spine_turn": [0.0, -4.0, 0.0], "head_turn": [-4.0, -5.0, 0.0]}


def standing(**turns: Vec3) -> NDArray[np.float32]:
    """Return the joints of a boxer who stands upright, with some turns of the pose replaced."""
    return drawn(replace(poses.pose("rest", UPRIGHT), **turns)).joints


def test_a_foot_sent_below_the_canvas_stays_on_it() -> None:
    buried = replace(poses.pose("guard"), lead_foot=(0.12, -0.4, 0.27))

    ankle = drawn(buried).joints[LEFT_ANKLE]

    assert ankle[1] == pytest.approx(drawn(poses.pose("guard")).joints[LEFT_ANKLE][1], abs=0.01)


def test_x_is_to_the_left_and_z_forward() -> None:
    joints = standing()

    assert joints[LEFT_SHOULDER][0] > 0.1 > -0.1 > joints[RIGHT_SHOULDER][0]
    assert joints[NOSE][2] > joints[LEFT_EAR][2] + 0.05
    assert joints[LEFT_EYE][1] > joints[NOSE][1] > joints[LEFT_SHOULDER][1] > joints[LEFT_KNEE][1]


@pytest.mark.parametrize("field", ["pelvis_turn", "spine_turn", "head_turn"])
def test_yaw_turns_to_the_left(field: str) -> None:
    assert standing(**{field: (30.0, 0.0, 0.0)})[NOSE][0] > standing()[NOSE][0] + 0.03


@pytest.mark.parametrize("field", ["pelvis_turn", "spine_turn", "head_turn"])
def test_pitch_bows_forward(field: str) -> None:
    bowed = standing(**{field: (0.0, 30.0, 0.0)})

    assert bowed[LEFT_EYE][2] > standing()[LEFT_EYE][2] + 0.02
    assert bowed[NOSE][1] < standing()[NOSE][1] - 0.01


@pytest.mark.parametrize("field", ["pelvis_turn", "spine_turn", "head_turn"])
def test_roll_tips_to_the_right_shoulder(field: str) -> None:
    assert standing(**{field: (0.0, 0.0, 30.0)})[LEFT_EYE][0] < standing()[LEFT_EYE][0] - 0.03


def test_the_wrist_goes_where_the_pose_has_it() -> None:
    pose = poses.pose("guard")
    size = float(rig.load("red").head("upperarm_l")[1]) / 1.44

    assert drawn(pose).joints[LEFT_WRIST] == pytest.approx(np.array(pose.lead_hand) * size, abs=0.005)


def test_a_wrist_out_of_reach_stretches_the_arm_towards_it() -> None:
    far = replace(poses.pose("guard"), lead_hand=(0.0, 1.4, 4.0))

    joints = drawn(far).joints

    upper = np.linalg.norm(joints[7] - joints[LEFT_SHOULDER])
    lower = np.linalg.norm(joints[LEFT_WRIST] - joints[7])
    assert np.linalg.norm(joints[LEFT_WRIST] - joints[LEFT_SHOULDER]) == pytest.approx(upper + lower, rel=0.01)


@pytest.mark.parametrize("name", ["jab", "cross", "slip_left", "hurt", "walk_lead", "down"])
def test_a_southpaw_is_the_mirror_image(name: str) -> None:
    swapped = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]

    orthodox, southpaw = (drawn(poses.pose(name), stance=stance).joints for stance in ("orthodox", "southpaw"))

    # The rig itself is symmetric to a few millimetres.
    assert southpaw[swapped] * [-1.0, 1.0, 1.0] == pytest.approx(orthodox, abs=0.01)


number = st.floats(-1e6, 1e6) | st.floats(-2.0, 2.0) | st.floats(allow_nan=False, allow_infinity=False)
vector = st.tuples(number, number, number)
any_pose = st.builds(Pose, **{field.name: vector for field in fields(Pose)})


@pytest.mark.parametrize("aside", [0.0, 1e-9, 1e-4, 5e-3, 1e-2, 0.1])
def test_a_rotation_ends_where_it_should_even_from_nearly_the_opposite(aside: float) -> None:
    start = np.array([0.0, 1.0, 0.0])
    end = rotations.unit(np.array([aside, -1.0, aside / 2]), start)

    assert rotations.arc(start, end) @ start == pytest.approx(end, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(any_pose, st.sampled_from(["orthodox", "southpaw"]))
def test_any_finite_pose_gives_finite_bones_of_the_same_length(pose: Pose, stance: Stance) -> None:
    bones = rig.load("red")

    skeleton = bend(bones, pose, stance)

    assert np.isfinite(skeleton.positions).all()
    assert np.linalg.det(skeleton.rotations) == pytest.approx(1.0, abs=1e-6)
    for bone, child in (("upperarm_l", "lowerarm_l"), ("thigh_r", "calf_r"), ("calf_r", "foot_r")):
        ends = skeleton.positions[[bones.index(bone), bones.index(child)]]
        assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(bones.length(bone, child), abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(any_pose)
def test_any_finite_pose_gives_a_finite_figure_even_when_aimed(pose: Pose) -> None:
    striker = replace(placed(pose), lead_aim=Aim(head=0.7), rear_aim=Aim(body=1.0))

    found = figure(striker, placed(pose, "blue", position=(0.0, 1.0), facing=180.0))

    assert np.isfinite(found.joints).all()
    assert np.isfinite(found.meshes[0].vertices).all()
    assert np.isfinite(found.meshes[0].normals).all()

"""Fighters as meshes and joints."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from undercard.previz import poses, rig, rotations
from undercard.previz.figure import Figure, figure
from undercard.previz.mesh import Texture
from undercard.previz.outfit import linear
from undercard.previz.posing import bend
from undercard.staging import Aim, Corner, Look, PlacedFighter, Pose, Staging, Stance, Vec3, between
from undercard.staging import Camera as StageCamera

RED = Look(skin="#c68642", trunks="#aa1111", gloves="#bb1111", boots="#111111", hair="#221100")
NOSE, LEFT_EYE, LEFT_EAR, LEFT_SHOULDER, RIGHT_SHOULDER = 0, 1, 3, 5, 6
LEFT_WRIST, RIGHT_WRIST, LEFT_KNEE, LEFT_ANKLE, RIGHT_ANKLE = 9, 10, 13, 15, 16
UPRIGHT = {"pelvis_turn": [4.0, 0.0, 0.0], "spine_turn": [0.0, -4.0, 0.0], "head_turn": [-4.0, -5.0, 0.0]}


def placed(
    pose: Pose,
    corner: Corner = "red",
    stance: Stance = "orthodox",
    position: tuple[float, float] = (0.0, 0.0),
    facing: float = 0.0,
) -> PlacedFighter:
    return PlacedFighter(corner, corner, RED, stance, pose, position, facing)


@cache
def drawn(pose: Pose, corner: Corner = "red", stance: Stance = "orthodox") -> Figure:
    return figure(placed(pose, corner, stance), None)


def standing(**turns: Vec3) -> NDArray[np.float32]:
    """Return the joints of a boxer who stands upright, with some turns of the pose replaced."""
    return drawn(replace(poses.pose("rest", UPRIGHT), **turns)).joints


def part(found: Figure, name: str, corner: Corner = "red") -> NDArray[np.float32]:
    """Return the vertices of a part of the body, shape (n, 3)."""
    mesh = found.meshes[0]
    faces = mesh.faces[mesh.face_materials == rig.load(corner).part_names.index(name)]
    return np.asarray(mesh.vertices[np.unique(faces)], np.float32)


@pytest.mark.parametrize("name", poses.names())
@pytest.mark.parametrize("corner", ["red", "blue"])
def test_every_pose_gives_a_sound_mesh(name: str, corner: Corner) -> None:
    found = drawn(poses.pose(name), corner)

    for mesh in found.meshes:
        assert np.isfinite(mesh.vertices).all()
        assert np.linalg.norm(mesh.normals, axis=1) == pytest.approx(1.0, abs=1e-3)
        assert mesh.faces.max() < len(mesh.vertices)
        assert mesh.face_materials.max() < len(mesh.materials)
        assert mesh.rest is not None
        assert mesh.rest.shape == mesh.vertices.shape
        assert [str(kind.dtype) for kind in (mesh.vertices, mesh.normals, mesh.faces)] == [
            "float32",
            "float32",
            "int32",
        ]
    assert found.joints.shape == (17, 3)
    assert found.joints.dtype == np.float32


@pytest.mark.parametrize("corner", ["red", "blue"])
def test_normals_point_out_of_the_body(corner: Corner) -> None:
    mesh = drawn(poses.pose("rest"), corner).meshes[0]
    gloves = part(Figure((mesh,), np.zeros((17, 3), np.float32)), "gloves", corner)
    left = gloves[gloves[:, 0] > 0]
    chosen = np.flatnonzero((mesh.vertices[:, None, 0] > 0).ravel() & np.isin(mesh.vertices, left).all(1))

    outwards = mesh.vertices[chosen] - left.mean(0)

    assert ((outwards * mesh.normals[chosen]).sum(1) > 0).mean() > 0.95


@pytest.mark.parametrize("name", [name for name in poses.names() if name != "knockdown"])
@pytest.mark.parametrize("corner", ["red", "blue"])
def test_somebody_who_is_not_falling_stands_or_lies_on_the_canvas(name: str, corner: Corner) -> None:
    lowest = drawn(poses.pose(name), corner).meshes[0].vertices[:, 1].min()

    assert 0.0 < lowest < 0.012


@pytest.mark.parametrize("name", ["guard", "jab", "cross", "rest", "block", "touch", "walk_lead", "duck"])
@pytest.mark.parametrize("stance", ["orthodox", "southpaw"])
def test_both_feet_carry_a_boxer_who_stands(name: str, stance: Stance) -> None:
    sole = part(drawn(poses.pose(name), stance=stance), "sole")

    left, right = (sole[np.sign(sole[:, 0] - sole[:, 0].mean()) == side] for side in (1, -1))

    assert left[:, 1].min() < 0.015
    assert right[:, 1].min() < 0.015


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


def test_facing_and_position_place_the_fighter_on_the_stage() -> None:
    here = figure(placed(poses.pose("guard")), None).joints

    there = figure(placed(poses.pose("guard"), position=(1.0, -2.0), facing=90.0), None).joints

    # 90° looks along +x: forward (z) becomes x, left (x) becomes -z.
    assert there == pytest.approx(np.stack([here[:, 2] + 1.0, here[:, 1], -here[:, 0] - 2.0], 1), abs=1e-5)


@pytest.mark.parametrize("name", ["jab", "cross", "slip_left", "hurt", "walk_lead", "down"])
def test_a_southpaw_is_the_mirror_image(name: str) -> None:
    swapped = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]

    orthodox, southpaw = (drawn(poses.pose(name), stance=stance).joints for stance in ("orthodox", "southpaw"))

    # The rig itself is symmetric to a few millimetres.
    assert southpaw[swapped] * [-1.0, 1.0, 1.0] == pytest.approx(orthodox, abs=0.01)


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


def test_threads_get_the_same_figure() -> None:
    fighters = [placed(poses.pose(name)) for name in ("guard", "jab", "cross", "duck")] * 4
    alone = [figure(fighter, None).joints for fighter in fighters]

    with ThreadPoolExecutor(4) as pool:
        together = [found.joints for found in pool.map(lambda fighter: figure(fighter, None), fighters)]

    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


def test_a_look_colours_the_parts() -> None:
    mesh = drawn(poses.pose("guard")).meshes[0]
    names = rig.load("red").part_names

    gloves, skin = mesh.materials[names.index("gloves")], mesh.materials[names.index("skin")]

    assert gloves.colour == linear(RED.gloves)
    assert gloves.texture is Texture.LEATHER
    assert skin.colour == linear(RED.skin)
    assert skin.texture is Texture.SKIN


def test_the_corners_have_different_bodies() -> None:
    red, blue = (drawn(poses.pose("rest"), corner) for corner in ("red", "blue"))

    assert len(red.meshes[0].vertices) != len(blue.meshes[0].vertices)
    assert part(red, "hair")[:, 1].max() < part(blue, "hair", "blue")[:, 1].max()

"""Fighters as meshes and joints: sound, on the canvas, in their place and in their colours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from tests.previz.boxers import (
    RED,
    drawn,
    part,
    placed,
)
from undercard.domain.staging import Aim, Corner, Stance
from undercard.previz import poses, rig
from undercard.previz.figure import Figure, figure, joints
from undercard.previz.mesh import Texture
from undercard.previz.outfit import linear


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


def test_facing_and_position_place_the_fighter_on_the_stage() -> None:
    here = figure(placed(poses.pose("guard")), None).joints

    there = figure(placed(poses.pose("guard"), position=(1.0, -2.0), facing=90.0), None).joints

    # 90° looks along +x: forward (z) becomes x, left (x) becomes -z.
    assert there == pytest.approx(np.stack([here[:, 2] + 1.0, here[:, 1], -here[:, 0] - 2.0], 1), abs=1e-5)


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


def test_joints_without_a_body_are_those_of_the_body() -> None:
    opponent = placed(poses.pose("guard"), "blue", position=(0.1, 0.9), facing=180.0)
    striker = replace(placed(poses.pose("jab")), lead_aim=Aim(head=1.0))

    assert np.array_equal(joints(striker, opponent), figure(striker, opponent).joints)

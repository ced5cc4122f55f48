"""A placed fighter as meshes and joints on the stage."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from undercard.domain.staging import Corner, PlacedFighter, Pose, Stance
from undercard.previz import rig as rigs
from undercard.previz.mesh import Floats, Ints, Mesh
from undercard.previz.outfit import materials
from undercard.previz.posing import Skeleton, bend
from undercard.previz.rig import Rig
from undercard.previz.rotations import Matrix, Vector, turn, unit

# The fist as a ball: its middle before the wrist, and its radius less what the padding gives; metres (`gear.glove`).
FIST_METRES = 0.107
FIST_RADIUS_METRES = 0.055
# Half axes of what a fist meets: the lower face about the mouth, the trunk about the solar plexus; metres.
FACE_HALF_AXES = np.array([0.068, 0.090, 0.098])
TRUNK_HALF_AXES = np.array([0.150, 0.200, 0.120])
# The canvas gives a little; skin that would sink through it is flattened against it.
CANVAS_METRES = 0.002


@dataclass(frozen=True, slots=True)
class Figure:
    """A fighter on the stage."""

    meshes: tuple[Mesh, ...]
    joints: Floats
    """COCO's 17 joints, shape (17, 3), stage metres."""


def figure(fighter: PlacedFighter, opponent: PlacedFighter | None) -> Figure:
    """Return a fighter's body, dressed and posed, and the joints that a pose estimator would look for.

    Args:
        fighter: who, how and where.
        opponent: whom the fists are aimed at; without one they stay where the pose has them.
    """
    rig = rigs.load(fighter.corner)
    skeleton = _skeleton(rig, fighter, opponent)
    facing, place = _placement(fighter)
    vertices = _skinned(rig, skeleton) @ facing.T.astype(np.float32) + place.astype(np.float32)
    np.maximum(vertices[:, 1], CANVAS_METRES, out=vertices[:, 1])
    body = Mesh(
        vertices=vertices,
        normals=normals(vertices, rig.faces),
        faces=rig.faces,
        face_materials=rig.parts.astype(np.int32),
        materials=materials(fighter.look, rig.part_names),
        rest=rig.vertices,
    )
    return Figure((body,), _joints(rig, skeleton, fighter))


# A camera is placed by them, and then asked whom it sees.
@lru_cache(maxsize=256)
def joints(fighter: PlacedFighter, opponent: PlacedFighter | None) -> Floats:
    """Return the joints of `figure(fighter, opponent)` without its body, in a fraction of the time; not writeable."""
    rig = rigs.load(fighter.corner)
    found = _joints(rig, _skeleton(rig, fighter, opponent), fighter)
    found.flags.writeable = False
    return found


def normals(vertices: Floats, faces: Ints) -> Floats:
    """Return a unit normal for each vertex: the mean of its triangles', weighted by area; shape (n, 3)."""
    i, j, k = faces.T
    # One coordinate at a time: gathering from short contiguous rows is twice as fast as gathering points.
    x, y, z = np.ascontiguousarray(vertices.T)
    ux, uy, uz = x[j] - x[i], y[j] - y[i], z[j] - z[i]
    vx, vy, vz = x[k] - x[i], y[k] - y[i], z[k] - z[i]
    summed = np.empty_like(vertices)
    for axis, across in enumerate((uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)):
        share = across.astype(np.float64)
        summed[:, axis] = sum(np.bincount(corner, share, len(vertices)) for corner in (i, j, k))
    length = np.sqrt(np.einsum("ij,ij->i", summed, summed))
    return np.asarray(summed / np.maximum(length, 1e-12)[:, None], np.float32)


def _placement(fighter: PlacedFighter) -> tuple[Matrix, Vector]:
    """Return the rotation and the place of the body's frame on the stage."""
    x, z = fighter.position
    return turn((fighter.facing_degrees, 0.0, 0.0)), np.array([x, 0.0, z])


def _skeleton(rig: Rig, fighter: PlacedFighter, opponent: PlacedFighter | None) -> Skeleton:
    weights = {"lead": fighter.lead_aim, "rear": fighter.rear_aim}
    if opponent is None or not any(aim.head or aim.body for aim in weights.values()):
        return _unaimed(fighter.corner, fighter.pose, fighter.stance)
    shapes = _targets(fighter, opponent)

    def aimed(end: str, shoulder: Vector, forearm: Vector, place: Vector) -> Vector:
        moved = place
        for weight, shape in zip((weights[end].head, weights[end].body), shapes, strict=True):
            moved = moved + weight * (shape.wrist(shoulder, forearm) - place)
        return moved

    return bend(rig, fighter.pose, fighter.stance, aimed)


# Most keyframes share their poses; where a fighter stands does not matter to his bones.
@lru_cache(maxsize=256)
def _unaimed(corner: Corner, pose: Pose, stance: Stance) -> Skeleton:
    return bend(rigs.load(corner), pose, stance)


@dataclass(frozen=True, slots=True)
class _Target:
    """An ellipsoid of the opponent's body, in the striker's frame."""

    centre: Vector
    axes: Matrix
    """Columns: its axes."""
    half_axes: Vector

    def wrist(self, shoulder: Vector, forearm: Vector) -> Vector:
        """Return where the wrist is when the fist touches the surface.

        The fist comes along the forearm, which a hook brings from the side and an uppercut from below, and a little
        from the shoulder.
        """
        straight = unit(self.centre - shoulder, np.array([0.0, 0.0, 1.0]))
        way = unit(forearm + 0.6 * straight, straight)
        depth = 1.0 / math.sqrt(float((((self.axes.T @ way) / self.half_axes) ** 2).sum()))
        return np.asarray(self.centre - way * (depth + FIST_RADIUS_METRES) - forearm * FIST_METRES, np.float64)


def _targets(fighter: PlacedFighter, opponent: PlacedFighter) -> tuple[_Target, _Target]:
    """Return the opponent's face and trunk in the fighter's frame."""
    rig = rigs.load(opponent.corner)
    skeleton = _unaimed(opponent.corner, opponent.pose, opponent.stance)
    facing, place = _placement(fighter)
    other_facing, other_place = _placement(opponent)
    chin, nose = rig.face[5], rig.face[0]
    mouth = np.array([0.0, (chin[1] + nose[1]) / 2.0 - 0.008, nose[2] - 0.095])
    plexus = rig.head("spine_03") + np.array([0.0, 0.03, 0.03])
    found = []
    for bone, point, half_axes in (
        ("head", mouth, FACE_HALF_AXES),
        ("spine_02", plexus, TRUNK_HALF_AXES),
    ):
        index = rig.index(bone)
        rotation = skeleton.rotations[index]
        centre = skeleton.positions[index] + rotation @ (point - rig.heads[index])
        found.append(
            _Target(
                facing.T @ (other_facing @ centre + other_place - place),
                facing.T @ other_facing @ rotation,
                half_axes,
            )
        )
    return found[0], found[1]


def _skinned(rig: Rig, skeleton: Skeleton) -> Floats:
    """Return the vertices in the pose (linear blend skinning), body frame, shape (n, 3)."""
    shift = skeleton.positions - np.einsum("bij,bj->bi", skeleton.rotations, rig.heads)
    bones = np.concatenate([skeleton.rotations.reshape(-1, 9), shift], 1).astype(np.float32)
    blended = rig.weights @ bones
    turned = np.einsum("vij,vj->vi", blended[:, :9].reshape(-1, 3, 3), rig.vertices)
    return np.asarray(turned + blended[:, 9:], np.float32)


def _joints(rig: Rig, skeleton: Skeleton, fighter: PlacedFighter) -> Floats:
    """Return COCO's joints on the stage: nose, eyes, ears, then left before right from shoulders to ankles."""
    facing, place = _placement(fighter)
    head = rig.index("head")
    face = skeleton.positions[head] + (rig.face[:5] - rig.heads[head]) @ skeleton.rotations[head].T
    bones = ("upperarm", "lowerarm", "hand", "thigh", "calf", "foot")
    limbs = [skeleton.positions[rig.index(f"{bone}_{side}")] for bone in bones for side in "lr"]
    return (np.concatenate([face, np.array(limbs)]) @ facing.T + place).astype(np.float32)

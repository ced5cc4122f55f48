"""Bends a rig into a pose: the spine by its turns, arms and legs by where wrists and ankles go."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.domain.staging import Pose, Stance, Vec3
from undercard.previz.rig import Rig
from undercard.previz.rotations import (
    Matrix,
    Vector,
    about,
    arc,
    cross,
    perpendicular,
    reach,
    turn,
    unit,
)

# Poses are written for a boxer whose shoulders are this high, and scaled to the rig.
NOMINAL_SHOULDER_METRES = 1.44
# Beyond these a pose is nonsense; clamping keeps the arithmetic finite.
FARTHEST_METRES = 5.0
# The collar bone follows a reaching arm by this much of the way (prototype's value, looks right on straight punches).
CLAVICLE_FOLLOWS = 0.35
# A fist turns palm down over the last part of a straight punch; the forearm takes this share of the turn.
FOREARM_TWIST = 0.4

# Halving the step each round settles the hooks, whose forearm swings most, to a centimetre.
AIMING_ROUNDS = 6

Aiming: TypeAlias = Callable[[str, Vector, Vector, Vector], Vector]
"""Given "lead" or "rear", the shoulder, the forearm's direction and the wrist's place in the pose, all in the body's
frame, returns where the wrist goes instead."""

_UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True, slots=True)
class Limbs:
    """Where one side's hand and foot go, in the body's frame, metres."""

    hand: Vector
    elbow: Vector
    foot: Vector
    foot_turn: Vector
    knee: Vector


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A rig's bones in a pose, in the body's frame."""

    rotations: NDArray[np.float64]
    """Shape (bones, 3, 3), from the rest pose."""
    positions: NDArray[np.float64]
    """Where each bone begins, shape (bones, 3)."""


def mirrored(pose: Pose) -> Pose:
    """Return the pose as a mirror shows it: places change their side, yaw and roll their sign."""

    def place(p: Vec3) -> Vec3:
        return -p[0], p[1], p[2]

    def turned(t: Vec3) -> Vec3:
        return -t[0], t[1], -t[2]

    return Pose(
        pelvis=place(pose.pelvis),
        pelvis_turn=turned(pose.pelvis_turn),
        spine_turn=turned(pose.spine_turn),
        head_turn=turned(pose.head_turn),
        lead_hand=place(pose.lead_hand),
        rear_hand=place(pose.rear_hand),
        lead_elbow=place(pose.lead_elbow),
        rear_elbow=place(pose.rear_elbow),
        lead_foot=place(pose.lead_foot),
        rear_foot=place(pose.rear_foot),
        lead_foot_turn=turned(pose.lead_foot_turn),
        rear_foot_turn=turned(pose.rear_foot_turn),
        lead_knee=place(pose.lead_knee),
        rear_knee=place(pose.rear_knee),
    )


def bend(rig: Rig, pose: Pose, stance: Stance, aim: Aiming | None = None) -> Skeleton:
    """Return the rig's bones in a pose; finite for any finite pose.

    Args:
        rig: whose bones.
        pose: as an orthodox boxer takes it.
        stance: "southpaw" mirrors it.
        aim: moves the wrists; without it they go where the pose has them.
    """
    return _Bending(rig, pose, stance, aim).skeleton()


class _Bending:
    """The work of `bend`, bone by bone from the pelvis outwards."""

    def __init__(self, rig: Rig, pose: Pose, stance: Stance, aim: Aiming | None) -> None:
        self.rig, self.aim = rig, aim
        self.pose = mirrored(pose) if stance == "southpaw" else pose
        self.scale = float(rig.head("upperarm_l")[1]) / NOMINAL_SHOULDER_METRES
        lead = "l" if stance == "orthodox" else "r"
        self.ends = {"l": "lead" if lead == "l" else "rear", "r": "lead" if lead == "r" else "rear"}
        self.rotations = np.tile(np.eye(3), (len(rig.bones), 1, 1))
        self.positions = rig.heads.copy()

    def skeleton(self) -> Skeleton:
        self._trunk()
        for side in ("l", "r"):
            self._arm(side)
            self._leg(side)
        return Skeleton(self.rotations, self.positions)

    def _trunk(self) -> None:
        pose = self.pose
        rest = self.rig.head("pelvis")
        self._set("pelvis", rest + self._place(pose.pelvis), turn(_angles(pose.pelvis_turn)))
        third = turn(_angles(pose.spine_turn) / 3.0)
        for bone in ("spine_01", "spine_02", "spine_03"):
            self._grow(bone, third)
        head = _angles(pose.head_turn)
        self._grow("neck_01", turn(head * 0.4))
        self._grow("head", turn(head * 0.6))

    def _arm(self, side: str) -> None:
        limbs = self._limbs(side)
        collar, upper, lower, hand = (f"{bone}_{side}" for bone in ("clavicle", "upperarm", "lowerarm", "hand"))
        self._grow(collar, np.eye(3))
        place = self._aimed(side, limbs, self._end_of(collar, upper))
        self._follow(collar, upper, place)
        self._grow(upper, np.eye(3))
        shoulder = self.positions[self.rig.index(upper)]
        elbow, wrist = self._reached(side, limbs, shoulder, self._aimed(side, limbs, shoulder))
        self._point(upper, lower, elbow)
        self._grow(lower, np.eye(3))
        self._point(lower, hand, wrist)
        self._grow(hand, np.eye(3))
        self._twist(side, elbow, wrist)

    def _reached(self, side: str, limbs: Limbs, shoulder: Vector, place: Vector) -> tuple[Vector, Vector]:
        upper, lower, hand = (f"{bone}_{side}" for bone in ("upperarm", "lowerarm", "hand"))
        lengths = self.rig.length(upper, lower), self.rig.length(lower, hand)
        return reach(shoulder, place, *lengths, limbs.elbow)

    def _aimed(self, side: str, limbs: Limbs, shoulder: Vector) -> Vector:
        """Return where the wrist goes: where a fist lands depends on the forearm, and that on where it lands."""
        place = limbs.hand
        if self.aim is None:
            return place
        elbow, wrist = self._reached(side, limbs, shoulder, place)
        forearm = unit(wrist - elbow, _UP)
        for _ in range(AIMING_ROUNDS):
            place = self.aim(self.ends[side], shoulder, forearm, limbs.hand)
            elbow, wrist = self._reached(side, limbs, shoulder, place)
            forearm = unit(forearm + unit(wrist - elbow, _UP), _UP)
        return place

    def _follow(self, collar: str, upper: str, place: Vector) -> None:
        """Let the collar bone go along with a reaching arm."""
        index = self.rig.index(collar)
        shoulder = self._end_of(collar, upper)
        now = unit(shoulder - self.positions[index], _UP)
        wish = unit(place - shoulder, now)
        self.rotations[index] = arc(now, now + CLAVICLE_FOLLOWS * wish) @ self.rotations[index]

    def _twist(self, side: str, elbow: Vector, wrist: Vector) -> None:
        """Turn the fist about the forearm: palm down at the end of a straight, thumb back in a guard."""
        lower, hand = self.rig.index(f"lowerarm_{side}"), self.rig.index(f"hand_{side}")
        chest = self.rotations[self.rig.index("spine_03")]
        forearm = unit(wrist - elbow, _UP)
        inward = -1.0 if side == "l" else 1.0
        across, up, forward = chest.T @ forearm
        # Thumb: inwards when the fist points forward, back when it points up, up when it points across.
        wish = chest @ np.array([inward * forward, abs(across), -up])
        wish = perpendicular(forearm, wish)
        rest = self.rig.head(f"hand_{side}") - self.rig.head(f"lowerarm_{side}")
        natural = self.rotations[lower] @ self.rig.thumbs[0 if side == "l" else 1]
        natural = perpendicular(forearm, natural if float(rest @ rest) > 0.0 else _UP)
        angle = math.atan2(float(cross(natural, wish) @ forearm), float(natural @ wish))
        self.rotations[hand] = about(forearm, angle) @ self.rotations[lower]
        self.rotations[lower] = about(forearm, angle * FOREARM_TWIST) @ self.rotations[lower]

    def _leg(self, side: str) -> None:
        limbs = self._limbs(side)
        thigh, calf, foot, ball = (f"{bone}_{side}" for bone in ("thigh", "calf", "foot", "ball"))
        sole, toes = self._foot_turns(limbs)
        ankle = limbs.foot + np.array([0.0, self._sunk(side, sole, toes, float(limbs.foot[1])), 0.0])
        self._grow(thigh, np.eye(3))
        knee, ankle = reach(
            self.positions[self.rig.index(thigh)],
            ankle,
            self.rig.length(thigh, calf),
            self.rig.length(calf, foot),
            limbs.knee,
        )
        self._point(thigh, calf, knee)
        self._grow(calf, np.eye(3))
        self._point(calf, foot, ankle)
        self._set(foot, ankle, sole)
        self._grow(ball, np.eye(3))
        self.rotations[self.rig.index(ball)] = toes

    def _foot_turns(self, limbs: Limbs) -> tuple[Matrix, Matrix]:
        """Return the rotations of the foot and of its toes, which stay flat while the heel rises."""
        sole = turn(limbs.foot_turn)
        flat = min(max(float(limbs.foot_turn[1]), 0.0), 45.0) * abs(math.cos(math.radians(float(limbs.foot_turn[2]))))
        return sole, sole @ turn(np.array([0.0, -flat, 0.0]))

    def _sunk(self, side: str, sole: Matrix, toes: Matrix, height: float) -> float:
        """Return by how much a foot has to rise so that its sole does not sink into the canvas, metres."""
        ankle, ball = self.rig.head(f"foot_{side}"), self.rig.head(f"ball_{side}")
        toe = self.rig.tails[self.rig.index(f"ball_{side}")]
        heel = np.array([ankle[0], 0.0, ankle[2] - 0.06]) - ankle
        under_ball = np.array([ball[0], 0.0, ball[2]]) - ankle
        tip = toes @ (np.array([toe[0], 0.0, toe[2]]) - ball) + sole @ (ball - ankle)
        lowest = min(float((sole @ heel)[1]), float((sole @ under_ball)[1]), float(tip[1]))
        return max(-(height + lowest), 0.0)

    def _limbs(self, side: str) -> Limbs:
        p = self.pose
        if self.ends[side] == "lead":
            raw = p.lead_hand, p.lead_elbow, p.lead_foot, p.lead_foot_turn, p.lead_knee
        else:
            raw = p.rear_hand, p.rear_elbow, p.rear_foot, p.rear_foot_turn, p.rear_knee
        hand, elbow, foot, foot_turn, knee = raw
        return Limbs(self._place(hand), _clamped(elbow), self._place(foot), _angles(foot_turn), _clamped(knee))

    def _place(self, place: Vec3) -> Vector:
        return _clamped(place) * self.scale

    def _end_of(self, bone: str, child: str) -> Vector:
        """Return where a child of a bone would begin."""
        index = self.rig.index(bone)
        offset = self.rotations[index] @ (self.rig.head(child) - self.rig.heads[index])
        return np.asarray(self.positions[index] + offset, np.float64)

    def _grow(self, bone: str, local: Matrix) -> None:
        """Place a bone at its parent's end and turn it within its parent's frame."""
        index = self.rig.index(bone)
        parent = self.rig.parents[index]
        self._set(bone, self._end_of(self.rig.bones[parent], bone), self.rotations[parent] @ local)

    def _point(self, bone: str, child: str, target: Vector) -> None:
        """Turn a bone the shortest way so that its child begins in the direction of *target*."""
        index = self.rig.index(bone)
        now = self._end_of(bone, child) - self.positions[index]
        self.rotations[index] = arc(now, target - self.positions[index]) @ self.rotations[index]

    def _set(self, bone: str, position: Vector, rotation: Matrix) -> None:
        index = self.rig.index(bone)
        self.positions[index] = position
        self.rotations[index] = rotation


def _angles(degrees: Vec3) -> Vector:
    # fmod before anything else: a huge angle would lose its meaning in the sine.
    return np.array([math.fmod(angle, 360.0) for angle in degrees])


def _clamped(place: Vec3) -> Vector:
    return np.clip(np.array(place, np.float64), -FARTHEST_METRES, FARTHEST_METRES)

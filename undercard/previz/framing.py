"""Where a camera can stand: distances that show enough, ropes to look between, bodies to keep clear of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.domain.staging import PlacedFighter
from undercard.previz import figure
from undercard.previz.ring import ROPE_HALF, ROPE_HEIGHTS
from undercard.previz.view import SENSOR_WIDTH_MM

Vector: TypeAlias = NDArray[np.float64]

HEAD_HEIGHT = 1.60
"""Middle of a boxer's head in his stance, metres above the canvas."""
INSIDE_HALF = ROPE_HALF - 0.22
"""How far from the middle a camera between the ropes may stand."""
CLEARANCE = 0.55
"""Least distance from a camera to the axis of a body, metres: a chest and a raised elbow."""
SHORTEST_LENS_MM = 18.0
PICTURE_ASPECT = 16 / 9
"""That pictures are framed for; a squarer one shows more above and below."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a camera stands, what it looks at, through what."""

    eye: Vector
    target: Vector
    lens_mm: float


@dataclass(frozen=True, slots=True)
class Action:
    """What cameras need to know of the fighters."""

    middle: Vector
    side: Vector
    """Level, square to the line between the fighters, on the +z side: where the house's cameras are."""
    apart: float
    feet: tuple[Vector, ...]
    heads: tuple[Vector, ...]
    facings: tuple[Vector, ...]
    looks: tuple[Vector, ...]
    """Level direction of each face."""
    corners: tuple[str, ...]
    joints: tuple[Vector, ...]
    subject: int

    def other(self) -> int | None:
        """Return the index of the subject's opponent, None when alone."""
        return next((index for index in range(len(self.feet)) if index != self.subject), None)


def action(fighters: Sequence[PlacedFighter], subject: int) -> Action:
    """Return what cameras need to know of *fighters*, the one at index *subject* being the subject."""
    feet = tuple(np.array([fighter.position[0], 0.0, fighter.position[1]]) for fighter in fighters)
    facings = tuple(_facing(fighter) for fighter in fighters)
    joints = tuple(
        figure.joints(fighter, next((other for other in fighters if other is not fighter), None)).astype(np.float64)
        for fighter in fighters
    )
    middle = np.mean(feet, axis=0) if feet else np.zeros(3)
    line = feet[1] - feet[0] if len(feet) > 1 else np.zeros(3)
    apart = float(np.linalg.norm(line))
    side = _house_side(line, apart, facings)
    heads = tuple(_steady_head(*each) for each in zip(feet, facings, joints, strict=True))
    looks = tuple(_look(*each) for each in zip(facings, joints, strict=True))
    corners = tuple(fighter.corner for fighter in fighters)
    middle, apart = _spread(feet, heads, middle, line)
    return Action(middle, side, apart, feet, heads, facings, looks, corners, joints, subject)


def _spread(feet: tuple[Vector, ...], heads: tuple[Vector, ...], middle: Vector, line: Vector) -> tuple[Vector, float]:
    """Return the middle of all that matters along *line*, and how far it reaches: a man who lies is longer."""
    length = float(np.linalg.norm(line))
    if length <= 1e-6:
        return middle, 0.0
    way = line / length
    along = [float((point - middle) @ way) for point in (*feet, *heads)]
    centre: Vector = middle + way * (max(along) + min(along)) / 2
    return centre, max(along) - min(along)


def _house_side(line: Vector, apart: float, facings: tuple[Vector, ...]) -> Vector:
    """Return the side of the line between two fighters nearer +z; before a fighter alone, the way he faces."""
    if apart <= 1e-6:
        return facings[0] if facings else np.array([0.0, 0.0, 1.0])
    side: Vector = np.array([-line[2], 0.0, line[0]]) / apart
    return -side if side[2] < 0 or (side[2] == 0 and side[0] < 0) else side


def turned(level: Vector, degrees: float) -> Vector:
    """Turn a level direction by *degrees* about y, from +z toward +x."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([c * level[0] + s * level[2], 0.0, c * level[2] - s * level[0]])


def back_off(target: Vector, way: Vector, width: float, lens_mm: float, height: float) -> Spot:
    """Stand from *target* along the level direction *way* so that the picture is *width* metres wide there."""
    distance = width * lens_mm / SENSOR_WIDTH_MM
    rise = height - target[1]
    level = np.sqrt(max(distance**2 - rise**2, (0.35 * distance) ** 2))
    eye = target + way * level
    eye[1] = height
    return Spot(eye, target, lens_mm)


def between_ropes(spot: Spot, width: float | None, action: Action) -> Spot:
    """Bring the camera inside the ropes and out of bodies; with a *width*, a shorter lens keeps the framing."""
    eye = _out_of_bodies(_clamped(spot.eye, INSIDE_HALF), action)
    eye = _clamped(eye, INSIDE_HALF)
    if width is None:
        return Spot(eye, spot.target, spot.lens_mm)
    lens_mm = SENSOR_WIDTH_MM * float(np.linalg.norm(eye - spot.target)) / width
    return Spot(eye, spot.target, max(min(spot.lens_mm, lens_mm), SHORTEST_LENS_MM))


def beyond_ropes(spot: Spot, width: float) -> Spot:
    """Move the camera straight back until it is outside the ropes; a longer lens keeps the framing."""
    way = (spot.eye - spot.target) * (1.0, 0.0, 1.0)
    way /= max(float(np.linalg.norm(way)), 1e-6)
    eye = spot.eye.copy()
    while max(abs(eye[0]), abs(eye[2])) < ROPE_HALF + 0.42:
        eye = eye + way * 0.05
    lens_mm = SENSOR_WIDTH_MM * float(np.linalg.norm(eye - spot.target)) / width
    return Spot(eye, spot.target, max(spot.lens_mm, lens_mm))


def past_ropes(spot: Spot, action: Action) -> Spot:
    """Raise or lower a camera outside the ropes, as little as it takes, until no rope crosses a face."""
    for change in sorted(np.linspace(-0.3, 0.3, 25), key=abs):
        eye = spot.eye + np.array([0.0, float(change), 0.0])
        if all(rope_gap(eye, head) > 0.075 for head in action.heads):
            return Spot(eye, spot.target, spot.lens_mm)
    return spot


def rope_gap(eye: Vector, head: Vector) -> float:
    """Return how far from a rope's middle the line from *eye* to *head* passes, metres; inf where it meets no side."""
    gap = np.inf
    for axis in (0, 2):
        for plane in (-ROPE_HALF, ROPE_HALF):
            span = head[axis] - eye[axis]
            share = (plane - eye[axis]) / span if abs(span) > 1e-9 else -1.0
            if 0.0 < share < 1.0:
                height = eye[1] + share * (head[1] - eye[1])
                gap = min(gap, min(abs(height - rope) for rope in ROPE_HEIGHTS))
    return float(gap)


def head_range(action: Action) -> tuple[float, float]:
    """Return the heights of the lowest and of the highest head, metres."""
    heights = [float(head[1]) for head in action.heads] or [HEAD_HEIGHT]
    return min(heights), max(heights)


def candidates(azimuth: float, facing: Vector, side: Vector) -> Iterator[float]:
    """Yield azimuths to try before a face, the wished one first, then wider and from the other side."""
    toward, away = sides(facing, side)
    for sign in (toward, away):
        for more in (0.0, 14.0, -14.0, 28.0):
            yield sign * max(azimuth + more, 8.0)


def sides(facing: Vector, side: Vector) -> tuple[float, float]:
    """Return the sign of turn that leads from *facing* to the house's side, then the other."""
    toward = 1.0 if float(turned(facing, 90.0) @ side) >= 0 else -1.0
    return toward, -toward


def clearest(spots: Sequence[Spot], action: Action) -> Spot:
    """Return the first spot from which nothing crosses the line to its target, else the one with most room."""
    rooms = [_room(spot, action) for spot in spots]
    for spot, room in zip(spots, rooms, strict=True):
        if room > 0.24:
            return spot
    return spots[int(np.argmax(rooms))]


def from_corner(corner: str, subject: Vector) -> Vector:
    """Return the level direction from a corner through the subject into the ring."""
    sign = 1.0 if corner == "red" else -1.0
    way = subject - np.array([-sign * ROPE_HALF, 0.0, sign * ROPE_HALF])
    length = float(np.linalg.norm(way))
    inward: Vector = way / length if length > 0.3 else np.array([sign, 0.0, -sign]) / np.sqrt(2.0)
    return inward


def _room(spot: Spot, action: Action) -> float:
    """Return the least distance from the line of sight to a joint of the opponent, or to a rope before the target."""
    way = spot.target - spot.eye
    length = float(np.linalg.norm(way))
    room = 1.0 if rope_gap(spot.eye, spot.target) > 0.07 else 0.1
    for index, joints in enumerate(action.joints):
        if index == action.subject:
            continue
        along = np.clip((joints - spot.eye) @ way / length**2, 0.0, 0.93)
        apart = np.linalg.norm(joints - spot.eye - along[:, None] * way, axis=1)
        room = min(room, float(apart.min()))
    return room


def _out_of_bodies(eye: Vector, action: Action) -> Vector:
    """Push a camera that stands in or against a fighter straight away from him."""
    for joints in action.joints:
        if eye[1] > float(joints[:, 1].max()) + 0.4:
            continue
        near = joints[np.argmin(np.linalg.norm(joints - eye, axis=1))]
        away = (eye - near) * (1.0, 0.0, 1.0)
        apart = float(np.linalg.norm(eye - near))
        if apart < CLEARANCE:
            level = float(np.linalg.norm(away))
            way = away / level if level > 1e-6 else action.side
            eye = eye + way * (CLEARANCE - apart)
    return eye


def _clamped(eye: Vector, half: float) -> Vector:
    return np.array([np.clip(eye[0], -half, half), eye[1], np.clip(eye[2], -half, half)])


def _steady_head(feet: Vector, facing: Vector, joints: Vector) -> Vector:
    """Return where an operator keeps the head: loosely on it while it bobs, right on it once it goes down."""
    usual = feet + (0.0, HEAD_HEIGHT, 0.0) + facing * 0.10
    head = joints[:5].mean(axis=0)
    follow = float(np.clip(np.linalg.norm(head - usual) / 0.55, 0.35, 1.0))
    steady: Vector = usual + follow * (head - usual)
    return steady


def _look(facing: Vector, joints: Vector) -> Vector:
    """Return the level direction of the face, ears to nose; the body's where it looks up or down."""
    way = (joints[0] - joints[3:5].mean(axis=0)) * (1.0, 0.0, 1.0)
    length = float(np.linalg.norm(way))
    return way / length if length > 0.04 else facing


def _facing(fighter: PlacedFighter) -> Vector:
    turn = np.radians(fighter.facing_degrees)
    return np.array([np.sin(turn), 0.0, np.cos(turn)])

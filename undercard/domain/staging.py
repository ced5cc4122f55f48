"""What stands where in one frame: camera, fighters, light. Plain numbers that compare, hash and serialise.

The stage: metres, right-handed, y up, the canvas at y = 0, the ring's centre at the origin.
The red corner is at (-x, +z), the blue corner at (+x, -z). A fighter who faces 0° looks along +z, 90° along +x.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Literal, TypeAlias, TypeVar, cast

Vec2: TypeAlias = tuple[float, float]
Vec3: TypeAlias = tuple[float, float, float]
Corner: TypeAlias = Literal["red", "blue"]
Stance: TypeAlias = Literal["orthodox", "southpaw"]


@dataclass(frozen=True, slots=True)
class Pose:
    """A boxer's pose as an orthodox fighter (left side leads) takes it, in the body's own frame.

    The frame: x to the fighter's left, y up from the canvas, z forward; metres. Turns are (yaw, pitch, roll) in
    degrees: yaw turns to the left, pitch bows forward, roll tips to the right shoulder.
    """

    pelvis: Vec3
    """Offset of the pelvis from where it is when standing."""
    pelvis_turn: Vec3
    spine_turn: Vec3
    """Turn from the pelvis to the chest."""
    head_turn: Vec3
    """Turn from the chest to the head."""
    lead_hand: Vec3
    """Where the wrist goes."""
    rear_hand: Vec3
    lead_elbow: Vec3
    """Direction in which the elbow points."""
    rear_elbow: Vec3
    lead_foot: Vec3
    """Where the ankle stands."""
    rear_foot: Vec3
    lead_foot_turn: Vec3
    rear_foot_turn: Vec3
    lead_knee: Vec3
    """Direction in which the knee points."""
    rear_knee: Vec3


@dataclass(frozen=True, slots=True)
class Aim:
    """How far a fist has left its place in the pose for the opponent; 0 not at all, 1 it lands."""

    head: float = 0.0
    body: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """Colours of a fighter, as `#rrggbb` in sRGB."""

    skin: str
    trunks: str
    gloves: str
    boots: str
    hair: str


@dataclass(frozen=True, slots=True)
class PlacedFighter:
    """One fighter on the stage."""

    name: str
    corner: Corner
    """Decides the build of the body, too: each corner has its own mesh."""
    look: Look
    stance: Stance
    pose: Pose
    position: Vec2
    """(x, z) on the canvas, metres."""
    facing_degrees: float
    lead_aim: Aim = Aim()
    rear_aim: Aim = Aim()


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera on the stage."""

    position: Vec3
    target: Vec3
    lens_mm: float
    """Focal length on a frame 36 mm wide."""
    roll_degrees: float = 0.0
    f_number: float = 0.0
    """Aperture; the target is in focus. 0 keeps everything sharp."""


@dataclass(frozen=True, slots=True)
class Staging:
    """One frame of the stage, ready to be drawn."""

    camera: Camera
    fighters: tuple[PlacedFighter, ...]
    light: str
    """Name of a light in the previz's table of lights."""


Value = TypeVar("Value")


def between(start: Staging, end: Staging, t: float) -> Staging:
    """Return the staging *t* of the way from *start* to *end*; 0 is *start*, 1 is *end*.

    Raises:
        ValueError: the two do not show the same fighters in the same order, or not under the same light.
    """
    if start.light != end.light:
        raise ValueError(f"cannot pass from light {start.light!r} to {end.light!r} within a shot; cut instead")
    names = [fighter.name for fighter in start.fighters], [fighter.name for fighter in end.fighters]
    if names[0] != names[1]:
        raise ValueError(f"cannot pass from fighters {names[0]} to {names[1]} within a shot; cut instead")
    # Exactly the keyframes at the ends: the sums would be off by a rounding, and by a turn in the facing.
    if t in (0.0, 1.0):
        return end if t else start
    fighters = tuple(_fighter_between(a, b, t) for a, b in zip(start.fighters, end.fighters, strict=True))
    return replace(start, camera=blend(start.camera, end.camera, t), fighters=fighters)


def _fighter_between(a: PlacedFighter, b: PlacedFighter, t: float) -> PlacedFighter:
    # The short way round: from 350° to 10° is 20°.
    turn = (b.facing_degrees - a.facing_degrees + 180.0) % 360.0 - 180.0
    return replace(
        a,
        pose=blend(a.pose, b.pose, t),
        position=blend(a.position, b.position, t),
        facing_degrees=a.facing_degrees + turn * t,
        lead_aim=blend(a.lead_aim, b.lead_aim, t),
        rear_aim=blend(a.rear_aim, b.rear_aim, t),
    )


def blend(a: Value, b: Value, t: float) -> Value:
    """Pass from *a* to *b*: numbers, tuples of numbers, records of those."""
    return cast("Value", _passed(a, b, t))


def _passed(a: object, b: object, t: float) -> object:
    if is_dataclass(a) and not isinstance(a, type):
        return replace(
            a, **{field.name: _passed(getattr(a, field.name), getattr(b, field.name), t) for field in fields(a)}
        )
    if isinstance(a, tuple) and isinstance(b, tuple):
        return tuple(_passed(x, y, t) for x, y in zip(a, b, strict=True))
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return a + (b - a) * t
    raise TypeError(f"cannot pass from {a!r} to {b!r}")

"""How a prompt puts a fighter, a camera, a light and the pictures beside it into English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from undercard.controls import CONTROLS
from undercard.previz import cameras, lights, poses
from undercard.shot_fields import colour_name
from undercard.shot_models import CameraEntry, CastMember
from undercard.staging import Look

DEFAULT_LENS_MM = 35.0
"""Of a camera by position; a named one has its own."""
APART = 0.06
"""Share of the frame's width between two fighters of whom one can be called the left one."""


def fighter(member: CastMember, look: Look, pose: str) -> str:
    """Return who he is, what he wears and what he does: `Ray, fair skin, …, orthodox stance: Lead straight …`."""
    colours = {part: colour_name(colour) for part, colour in asdict(look).items()}
    return _sentence(
        f"{member.name}, {colours['skin']} skin, {colours['hair']} hair, {colours['trunks']} trunks, "
        f"{colours['gloves']} gloves, {colours['boots']} boots, {member.stance} stance: {_doing(pose)}"
    )


def _doing(pose: str) -> str:
    # After a semicolon the card tells whoever writes a shot list which pose to use next.
    return poses.pose_card(pose).partition(";")[0]


def camera(entry: CameraEntry) -> str:
    """Return how it is seen: what a named camera is for, or the angle and lens of one by position."""
    if entry.name is not None:
        return _sentence(f"Camera: {cameras.about(entry.name)}")
    assert entry.position is not None
    # Below a standing fighter's hip, above his raised gloves.
    angle = "low angle" if entry.position[1] < 0.9 else "high angle" if entry.position[1] > 2.2 else "eye level"
    return _sentence(f"Camera: {angle}, {entry.lens_mm or DEFAULT_LENS_MM:g} mm lens")


def light(name: str) -> str:
    """Return the light in words."""
    return _sentence(f"Light: {lights.about(name)}")


def control(kind: str) -> str:
    """Return what the first picture is and what to make of it."""
    return CONTROLS[kind].told


def likeness(number: int, member: CastMember, look: Look, side: str) -> str:
    """Return who is in picture *number*, and which boxer of the first picture that is.

    Args:
        number: as the model counts its pictures, from 1.
        member: who.
        look: in which colours.
        side: where, as `side_of` says it.
    """
    who = f"{member.name}, the boxer in {colour_name(look.trunks)} trunks{side}"
    if member.reference is not None:
        return f"Picture {number} shows {who}: keep this face, hair and build."
    # One that is not told takes two views for two people.
    return f"Picture {number} is a character sheet of {who}, one person twice: keep face, build and kit, not its poses."


def side_of(across: float, others: Sequence[float]) -> str:
    """Return ` on the left` or ` on the right` for whom is seen at *across*; nothing where that tells nobody apart.

    Args:
        across: 0 at the frame's left edge, 1 at its right.
        others: the same of who else is seen.
    """
    if not others or any(abs(across - other) < APART for other in others):
        return ""
    if all(across < other for other in others):
        return " on the left"
    return " on the right" if all(across > other for other in others) else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."

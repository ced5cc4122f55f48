"""How a prompt puts a fighter, a camera and a light into English."""

from __future__ import annotations

from dataclasses import asdict

from undercard.previz import cameras, lights, poses
from undercard.shot_fields import colour_name
from undercard.shot_models import CameraEntry, CastMember
from undercard.staging import Look

DEFAULT_LENS_MM = 35.0
"""Of a camera by position; a named one has its own."""


def fighter(member: CastMember, look: Look, pose: str) -> str:
    """Return who he is, what he wears and what he does: `Ray, fair skin, …, orthodox stance: Lead straight …`."""
    colours = {part: colour_name(colour) for part, colour in asdict(look).items()}
    return _sentence(
        f"{member.name}, {colours['skin']} skin, {colours['hair']} hair, {colours['trunks']} trunks, "
        f"{colours['gloves']} gloves, {colours['boots']} boots, {member.stance} stance: {poses.pose_card(pose)}"
    )


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


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."

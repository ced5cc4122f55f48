"""How a prompt puts a fighter, a camera, a light and the pictures beside it into English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from undercard.domain.colours import colour_name
from undercard.domain.controls import CONTROLS
from undercard.domain.staging import Look
from undercard.gate.contract import Fault
from undercard.previz import cameras, lights, poses
from undercard.shotlist.staged import CameraEntry, CastMember

DEFAULT_LENS_MM = 35.0
"""Of a camera by position; a named one has its own."""
INSISTENCE: Mapping[str, str] = {
    Fault.BLOCKY: "Draw clean surfaces and smooth shades, without the blocks of a compressed picture.",
    Fault.WRONG_COUNT: "Show exactly {who} and nobody else in the ring.",
    Fault.WRONG_POSE: "Every head, fist, elbow, knee and foot is exactly where {control} has it, and left stays left.",
    Fault.EXTRA_LIMB: "Each boxer has one head, two arms with one glove each, and two legs.",
    Fault.SWAPPED: "Who is who comes first: {who}, each with his own colours and face; never exchange them.",
    Fault.DRIFTED: "Who they are comes first: {who}, with exactly the face, hair, build and colours described.",
    Fault.NOT_EDITED: "Do not give {control} back: make a new photograph of it, with real skin, cloth and light.",
    Fault.REPEATED: "This is another moment than any picture before it: show the poses of {control}, and no others.",
}
"""What a prompt adds about a fault that the take before had."""
APART = 0.06
"""Share of the frame's width between two fighters of whom one can be called the left one."""


def fighter(member: CastMember, look: Look, pose: str) -> str:
    """Return who he is, what he wears and what he does: `Ray, fair skin, …, orthodox stance: Lead straight …`."""
    colours = {part: colour_name(colour) for part, colour in asdict(look).items()}
    return _sentence(
        f"{member.name}, {colours['skin']} skin, {colours['hair']} hair, {colours['trunks']} trunks, "
        f"{colours['gloves']} gloves, {colours['boots']} boots, {member.stance} stance: {_doing(pose)}"
    )


def movement(member: CastMember, before: str, after: str) -> str:
    """Return what he does between two poses: `Ray, first: Stands ready …; then: Lead straight …`."""
    if before == after:
        return _sentence(f"{member.name}: {_doing(after)}")
    start, end = (_doing(pose).rstrip(".") for pose in (before, after))
    return _sentence(f"{member.name}, first: {start}; then: {end}")


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


def control(kind: str, number: int = 1) -> str:
    """Return what picture *number*, the control image, is and what to make of it."""
    return CONTROLS[kind].told(number)


def neighbour(number: int) -> str:
    """Return what picture *number* is where it is the keyframe before."""
    return (
        f"Picture {number} is the moment before this one: match its exposure, colours, film grain and scale, but not"
        " its poses."
    )


def insistence(faults: Sequence[str], names: Sequence[str], control_number: int) -> str:
    """Return what is said once more, because the take before had *faults*.

    Args:
        faults: as the gate calls them.
        names: of whom the camera sees.
        control_number: of the control image among the model's pictures, from 1.
    """
    who = " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
    parts = {"who": who or "an empty ring", "control": f"Picture {control_number}"}
    return " ".join(INSISTENCE[fault].format(**parts) for fault in faults if fault in INSISTENCE)


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

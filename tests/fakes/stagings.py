"""Plain stagings for the tests of what does not draw them."""

from __future__ import annotations

from undercard.domain.staging import Camera, Look, PlacedFighter, Pose, Staging

STANDING = Pose(
    pelvis=(0.0, 0.0, 0.0),
    pelvis_turn=(0.0, 0.0, 0.0),
    spine_turn=(10.0, 5.0, 0.0),
    head_turn=(0.0, 0.0, 0.0),
    lead_hand=(0.1, 1.5, 0.3),
    rear_hand=(-0.1, 1.5, 0.2),
    lead_elbow=(0.3, -1.0, 0.0),
    rear_elbow=(-0.3, -1.0, 0.0),
    lead_foot=(0.15, 0.08, 0.25),
    rear_foot=(-0.15, 0.08, -0.25),
    lead_foot_turn=(0.0, 0.0, 0.0),
    rear_foot_turn=(-30.0, 0.0, 0.0),
    lead_knee=(0.0, 0.0, 1.0),
    rear_knee=(-0.3, 0.0, 1.0),
)
LOOK = Look(skin="#8d5a3c", trunks="#c01818", gloves="#c01818", boots="#101010", hair="#201008")


def fighter(facing_degrees: float = 90.0, name: str = "Rojas", pose: Pose = STANDING) -> PlacedFighter:
    """Place a red fighter left of the centre."""
    return PlacedFighter(
        name=name,
        corner="red",
        look=LOOK,
        stance="orthodox",
        pose=pose,
        position=(-0.6, 0.0),
        facing_degrees=facing_degrees,
    )


def staging(*fighters: PlacedFighter, lens_mm: float = 35.0, light: str = "title") -> Staging:
    """Place a camera in front of *fighters*."""
    camera = Camera(position=(0.0, 1.5, 5.0), target=(0.0, 1.1, 0.0), lens_mm=lens_mm)
    return Staging(camera=camera, fighters=fighters or (fighter(),), light=light)

"""Two boxers in the ring, for the tests of the renderer."""

from __future__ import annotations

from undercard.domain.staging import Camera, Look, PlacedFighter, Staging, Vec2
from undercard.previz import poses

RED = Look("#b97a56", "#b01018", "#c01018", "#7a0a10", "#1a120c")
BLUE = Look("#5a3420", "#1030b0", "#1030c8", "#e8e8e8", "#0a0806")
SIZE = (192, 108)


def red(pose: str = "guard", position: Vec2 = (-0.6, 0.0), facing: float = 90.0) -> PlacedFighter:
    return PlacedFighter("Rojas", "red", RED, "orthodox", poses.pose(pose), position, facing)


def blue(pose: str = "guard", position: Vec2 = (0.6, 0.0), facing: float = -90.0) -> PlacedFighter:
    return PlacedFighter("Okafor", "blue", BLUE, "southpaw", poses.pose(pose), position, facing)


def staged(*fighters: PlacedFighter, camera: Camera | None = None, light: str = "stage") -> Staging:
    square_on = Camera((0.0, 1.3, 2.4), (0.0, 1.0, 0.0), 30.0)
    return Staging(camera or square_on, fighters or (red(), blue()), light)

"""One boxer by himself, as meshes and joints."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from undercard.domain.staging import Corner, Look, PlacedFighter, Pose, Stance
from undercard.previz import rig
from undercard.previz.figure import Figure, figure

RED = Look(skin="#c68642", trunks="#aa1111", gloves="#bb1111", boots="#111111", hair="#221100")
NOSE, LEFT_EYE, LEFT_EAR, LEFT_SHOULDER, RIGHT_SHOULDER = 0, 1, 3, 5, 6
LEFT_WRIST, RIGHT_WRIST, LEFT_KNEE, LEFT_ANKLE, RIGHT_ANKLE = 9, 10, 13, 15, 16


def placed(
    pose: Pose,
    corner: Corner = "red",
    stance: Stance = "orthodox",
    position: tuple[float, float] = (0.0, 0.0),
    facing: float = 0.0,
) -> PlacedFighter:
    return PlacedFighter(corner, corner, RED, stance, pose, position, facing)


@cache
def drawn(pose: Pose, corner: Corner = "red", stance: Stance = "orthodox") -> Figure:
    return figure(placed(pose, corner, stance), None)


def part(found: Figure, name: str, corner: Corner = "red") -> NDArray[np.float32]:
    """Return the vertices of a part of the body, shape (n, 3)."""
    mesh = found.meshes[0]
    faces = mesh.faces[mesh.face_materials == rig.load(corner).part_names.index(name)]
    return np.asarray(mesh.vertices[np.unique(faces)], np.float32)

"""Whom a camera sees: which fighters are in a frame, where, and whether they can be told apart in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from undercard.domain.staging import Staging
from undercard.previz.figure import joints
from undercard.previz.view import look_through

FACE_JOINTS = 5
"""Nose, eyes and ears: COCO's first."""
MANY_JOINTS = 6
"""Of COCO's 17: two limbs. A glove that reaches into a close-up brings one or two."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A fighter who is in a frame, with as little as a wrist."""

    name: str
    across: float
    """Where he is: 0 at the frame's left edge, 1 at its right."""
    recognisable: bool
    """So much of him is in it that one would know him: of his face or, from behind, of his body."""


# The prompt, the pictures and the cost of a keyframe each ask.
@lru_cache(maxsize=4096)
def sighted(staging: Staging, size: tuple[int, int]) -> tuple[Sighting, ...]:
    """Return who is inside the frame of *size* (width, height) px, in the staging's order, whatever hides him."""
    view = look_through(staging.camera, size)
    width, height = size
    found = []
    for fighter in staging.fighters:
        opponent = next((other for other in staging.fighters if other is not fighter), None)
        pixels = view.project(joints(fighter, opponent))
        x, y, depth = pixels.T
        inside = (depth > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
        if inside.any():
            known = bool(inside[:FACE_JOINTS].any()) or int(inside.sum()) >= MANY_JOINTS
            found.append(Sighting(fighter.name, float(x[inside].mean()) / width, known))
    return tuple(found)

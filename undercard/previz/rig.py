"""A corner's boxer in the rest pose: mesh, bones and how much each bone carries each vertex."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from undercard.domain.staging import Corner
from undercard.previz.mesh import Floats, Ints

FACE_POINTS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "chin")


@dataclass(frozen=True, slots=True)
class Rig:
    """A boxer in the rest pose: arms half raised, standing on y = 0, x to the left, z forward; metres."""

    vertices: Floats
    """Shape (n, 3)."""
    faces: Ints
    """Shape (m, 3), counter-clockwise from outside."""
    parts: NDArray[np.uint8]
    """Shape (m,), indices into `part_names`."""
    part_names: tuple[str, ...]
    weights: Floats
    """Shape (n, bones); rows sum to 1."""
    bones: tuple[str, ...]
    """Each after its parent."""
    parents: tuple[int, ...]
    """-1 for the pelvis."""
    heads: NDArray[np.float64]
    """Where each bone begins, shape (bones, 3)."""
    tails: NDArray[np.float64]
    face: NDArray[np.float64]
    """FACE_POINTS on the skin, shape (6, 3)."""
    thumbs: NDArray[np.float64]
    """Unit directions from the left and right wrist to the thumb, shape (2, 3)."""

    def index(self, bone: str) -> int:
        """Return a bone's number."""
        return self.bones.index(bone)

    def head(self, bone: str) -> NDArray[np.float64]:
        """Return where a bone begins, shape (3,)."""
        return np.asarray(self.heads[self.index(bone)], np.float64)

    def length(self, bone: str, child: str) -> float:
        """Return the distance between the beginnings of two bones, metres."""
        return float(np.linalg.norm(self.head(child) - self.head(bone)))


@cache
def load(corner: Corner) -> Rig:
    """Return the boxer of a corner, read once a process."""
    path = resources.files("undercard") / "assets" / f"boxer_{corner}.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        vertices = (stored["vertices"] * float(stored["step_metres"])).astype(np.float32)
        bones = tuple(str(bone) for bone in stored["bones"])
        share = stored["weights"].astype(np.float32)
        weights = np.zeros((len(vertices), len(bones)), np.float32)
        np.put_along_axis(weights, stored["weight_bones"].astype(np.int64), share, 1)
        return Rig(
            vertices=vertices,
            faces=stored["faces"].astype(np.int32),
            parts=stored["parts"],
            part_names=tuple(str(name) for name in stored["part_names"]),
            weights=weights / weights.sum(1, keepdims=True),
            bones=bones,
            parents=tuple(int(parent) for parent in stored["parents"]),
            heads=stored["heads"].astype(np.float64),
            tails=stored["tails"].astype(np.float64),
            face=stored["face"].astype(np.float64),
            thumbs=stored["thumbs"].astype(np.float64),
        )

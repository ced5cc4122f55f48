"""What drawing a staging gives: the picture, its maps, and where every joint is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.previz.mesh import Floats

Pixels: TypeAlias = NDArray[np.uint8]
Flags: TypeAlias = NDArray[np.bool_]

COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
"""COCO's 17 joints, in its order."""


@dataclass(frozen=True, slots=True)
class Keypoints:
    """Where one fighter's joints are in the picture."""

    name: str
    xy: Floats
    """Shape (17, 2), px, the picture's top left corner at 0, 0; also of joints outside the picture."""
    in_frame: Flags
    """Shape (17,): before the camera and inside the picture."""
    visible: Flags
    """Shape (17,): in the frame, and nothing hides it; see `render.find_keypoints`."""
    occluded_by: tuple[str, ...]
    """For each joint what hides it: a fighter's name (the joint's own fighter too), `ring`, or nothing."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A drawn staging."""

    image: Pixels
    """Shape (height, width, 3), sRGB."""
    depth: Floats
    """Shape (height, width), metres along the view axis; inf where there is neither ring nor fighter."""
    normals: Floats
    """Shape (height, width, 3), camera space: x right, y up, z toward the camera; 0 where there is nothing."""
    fighters: NDArray[np.uint8]
    """Shape (height, width): 0 none, else 1 + the index in the staging's fighters, then in the limbs drawn beside."""
    keypoints: tuple[Keypoints, ...]
    """One a fighter, in the staging's order."""

"""A frame's maps as pictures and JSON: what diffusion models take as control, and the gate as the target pose."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image, ImageDraw

from undercard.previz.frame import COCO, Frame, Keypoints

NEAR_METRES = 0.5
FAR_METRES = 12.0

# OpenPose's 18 joints: nose, neck, right arm, left arm, right leg, left leg, eyes, ears; here as COCO indices, the
# neck (-1) being the middle of the shoulders.
_OPENPOSE = (0, -1, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
# Its limbs and colours, as in OpenPose's own renderer (Cao et al. 2019, poseParametersRender.hpp), which control
# networks were trained on.
_LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0),
    (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
_COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255),
    (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
_LIMB_DIM = 0.6
_SUPERSAMPLING = 2


def depth_image(frame: Frame) -> Image.Image:
    """Return the depth as 16-bit grey: 65535 at 0.5 m and nearer, 1 at 12 m and farther, 0 where there is nothing.

    Between, the inverse of depth runs evenly, as in the disparity that depth estimators give: v = (1/z − 1/12) /
    (1/0.5 − 1/12).
    """
    with np.errstate(divide="ignore"):
        inverse = 1.0 / np.maximum(frame.depth, 1e-6)
    share = (inverse - 1.0 / FAR_METRES) / (1.0 / NEAR_METRES - 1.0 / FAR_METRES)
    grey = 1.0 + np.clip(share, 0.0, 1.0) * 65534.0
    return Image.fromarray(np.where(np.isfinite(frame.depth), np.round(grey), 0.0).astype(np.uint16))


def normals_image(frame: Frame) -> Image.Image:
    """Return the normals as RGB: x right, y up, z toward the camera, 0…255 for -1…1; the mid grey-blue is nothing."""
    coded = np.round((frame.normals + 1.0) * 127.5)
    nothing = ~np.isfinite(frame.depth)
    coded[nothing] = (128.0, 128.0, 255.0)
    return Image.fromarray(coded.astype(np.uint8))


def skeleton_image(frame: Frame, *, occluded: bool = True) -> Image.Image:
    """Return every fighter's skeleton on black, in OpenPose's joints, limbs and colours.

    Args:
        frame: Whose keypoints to draw.
        occluded: Draw joints that something hides, too, as a whole skeleton asks of a model; else leave them out
            with their limbs.
    """
    height, width = frame.depth.shape
    scale = _SUPERSAMPLING
    picture = Image.new("RGB", (width * scale, height * scale))
    draw = ImageDraw.Draw(picture)
    thick = max(2.0, height / 130.0) * scale
    for fighter in frame.keypoints:
        joints, shown = _openpose(fighter, occluded)
        joints = joints * scale
        for (start, end), colour in zip(_LIMBS, _COLOURS, strict=False):
            if shown[start] and shown[end]:
                dim = (int(colour[0] * _LIMB_DIM), int(colour[1] * _LIMB_DIM), int(colour[2] * _LIMB_DIM))
                draw.line([tuple(joints[start]), tuple(joints[end])], fill=dim, width=round(thick))
        for (x, y), colour, seen in zip(joints, _COLOURS, shown, strict=True):
            if seen:
                radius = thick * 0.62
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
    return picture.resize((width, height), Image.Resampling.BOX)


def keypoints_json(frame: Frame) -> bytes:
    """Return the keypoints as JSON, UTF-8: the size, then each fighter's joints in px and what hides them."""
    height, width = frame.depth.shape
    fighters = [
        {
            "name": fighter.name,
            "joints": {
                joint: {
                    "x": round(float(x), 2),
                    "y": round(float(y), 2),
                    "in_frame": bool(inside),
                    "visible": bool(seen),
                    "occluded_by": hidden_by or None,
                }
                for joint, (x, y), inside, seen, hidden_by in zip(
                    COCO, fighter.xy, fighter.in_frame, fighter.visible, fighter.occluded_by, strict=True
                )
            },
        }
        for fighter in frame.keypoints
    ]
    return json.dumps({"width": width, "height": height, "fighters": fighters}, indent=1, ensure_ascii=False).encode()


def _openpose(fighter: Keypoints, occluded: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return OpenPose's 18 joints, shape (18, 2), and which of them to draw, shape (18,)."""
    shown = fighter.in_frame if occluded else fighter.visible
    joints = np.stack([fighter.xy[[5, 6]].mean(axis=0) if index < 0 else fighter.xy[index] for index in _OPENPOSE])
    seen = np.array([bool(shown[[5, 6]].all()) if index < 0 else bool(shown[index]) for index in _OPENPOSE])
    return joints, seen

"""One person's joints, by MoveNet Thunder, which looks at the place where somebody is (see assets/NOTICE.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undercard.gate.vision.networks import Floats, run

Pixels: TypeAlias = NDArray[np.uint8]
Box: TypeAlias = tuple[float, float, float, float]
"""x and y of the upper left corner, then of the lower right one, px."""

JOINTS = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle",
    "right ankle",
)  # fmt: skip
"""COCO's 17 joints, in its order; left is the person's own left."""

SEEN = 0.2
"""Score of a joint that is taken to be in the picture."""
CROP = 256
"""Side of what Thunder is shown, px."""
MARGIN = 1.25
"""Side of Thunder's crop over the longer side of the person's box."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who was found."""

    score: float
    """0…1."""
    xy: Floats
    """Shape (17, 2), px; in the order of JOINTS."""
    scores: Floats
    """Shape (17,), 0…1: how sure each joint is."""
    box: Box


def look_closely(pixels: Pixels, box: Box) -> Person:
    """Return the joints of the person in the middle of *box*; low scores say that there is hardly one."""
    left, top, right, bottom = box
    side = max(right - left, bottom - top, 1.0) * MARGIN
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    # Image.transform would sample single pixels when it makes the crop smaller; resize averages them.
    crop = Image.fromarray(pixels).crop((round(x), round(y), round(x + side), round(y + side)))
    fed = np.asarray(crop.resize((CROP, CROP), Image.Resampling.BILINEAR), np.int32)[None]
    found = run("movenet-thunder.fp16", fed)[0][0, 0]
    xy = np.array([round(x), round(y)], np.float32) + found[:, 1::-1] * np.float32(side)
    scores = found[:, 2]
    return Person(float(scores.mean()), xy.astype(np.float32), scores, around(xy, scores))


def around(xy: Floats, scores: Floats) -> Box:
    """Return the box around the joints that are seen, or around all where hardly any is."""
    seen = xy[scores >= SEEN] if (scores >= SEEN).sum() >= 4 else xy
    left, top = seen.min(axis=0)
    right, bottom = seen.max(axis=0)
    return float(left), float(top), float(right), float(bottom)

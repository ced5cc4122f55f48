"""People in a picture and their joints, by MoveNet.

MultiPose finds up to six people at once, the larger the better, so it looks at three scales. Thunder then looks at each
person alone, which places the joints more exactly. Both are Google's MoveNet (Apache-2.0); see assets/NOTICE.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undercard.vision.networks import Floats, run

Pixels: TypeAlias = NDArray[np.uint8]
Box: TypeAlias = tuple[float, float, float, float]
"""x and y of the upper left corner, then of the lower right one, px."""

JOINTS = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle",
    "right ankle",
)  # fmt: skip
"""COCO's 17 joints, in its order; left is the person's own left."""

SCALES = (256, 384, 512)
"""Longer side of what MultiPose is shown, px. It was trained at 256; people far from the camera need more."""
GRID = 32
"""Both sides of what MultiPose is shown are multiples of it."""
LEAST_SCORE = 0.15
"""Of a person, below which MultiPose's answer is noise."""
SEEN = 0.2
"""Score of a joint that is taken to be in the picture."""
SAME_PERSON = 0.45
"""Overlap of two boxes (intersection over union), or nearness of two sets of joints, of one person found twice."""
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

    @property
    def height(self) -> float:
        """Pixels from the top of the box to its bottom, or across it if that is longer: who lies is as tall."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


def find_people(pixels: Pixels, scales: Sequence[int] = SCALES) -> tuple[Person, ...]:
    """Return the people in *pixels*, RGB of shape (height, width, 3), surest first, each once."""
    image = Image.fromarray(pixels)
    return once_each([person for side in scales for person in _at_scale(image, side)])


def look_closely(pixels: Pixels, box: Box) -> Person:
    """Return the joints of the person in the middle of *box*; low scores say that there is hardly one."""
    left, top, right, bottom = box
    side = max(right - left, bottom - top, 1.0) * MARGIN
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    # Image.transform would sample single pixels when it makes the crop smaller; resize averages them.
    crop = Image.fromarray(pixels).crop((round(x), round(y), round(x + side), round(y + side)))
    fed = np.asarray(crop.resize((CROP, CROP), Image.Resampling.BILINEAR), np.int32)[None]
    found = run("movenet-thunder.fp16", fed)[0, 0]
    xy = np.array([round(x), round(y)], np.float32) + found[:, 1::-1] * np.float32(side)
    scores = found[:, 2]
    return Person(float(scores.mean()), xy.astype(np.float32), scores, around(xy, scores))


def around(xy: Floats, scores: Floats) -> Box:
    """Return the box around the joints that are seen, or around all where hardly any is."""
    seen = xy[scores >= SEEN] if (scores >= SEEN).sum() >= 4 else xy
    left, top = seen.min(axis=0)
    right, bottom = seen.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def once_each(people: Sequence[Person]) -> tuple[Person, ...]:
    """Keep the surest of those that are one person, surest first."""
    kept: list[Person] = []
    for person in sorted(people, key=lambda one: -one.score):
        if not any(same_person(person, other) for other in kept):
            kept.append(person)
    return tuple(kept)


def overlap(first: Box, second: Box) -> float:
    """Return the intersection of two boxes over their union, 0…1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return shared / (areas - shared) if shared else 0.0


def same_person(first: Person, second: Person) -> bool:
    """Tell by the boxes, or by most joints lying together: boxes of two boxers in a clinch overlap as well."""
    apart = np.linalg.norm(first.xy - second.xy, axis=1)
    near = float((apart < 0.1 * max(first.height, second.height)).mean())
    return near >= SAME_PERSON and overlap(first.box, second.box) > 0.2


def _at_scale(image: Image.Image, side: int) -> list[Person]:
    """Return whom MultiPose finds when the picture's longer side is *side* px."""
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    canvas = np.zeros((-(-height // GRID) * GRID, -(-width // GRID) * GRID, 3), np.int32)
    canvas[:height, :width] = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    across, down = canvas.shape[1] / scale, canvas.shape[0] / scale
    people = []
    for row in run("movenet-multipose.fp16", canvas[None])[0]:
        if row[55] >= LEAST_SCORE:
            # Seventeen times (y, x, score), then the box as (top, left, bottom, right), then the person's score.
            joints = row[:51].reshape(17, 3)
            xy = joints[:, 1::-1] * np.array([across, down], np.float32)
            top, left, bottom, right = (float(value) for value in row[51:55])
            box = left * across, top * down, right * across, bottom * down
            people.append(Person(float(row[55]), xy, joints[:, 2].copy(), box))
    return people

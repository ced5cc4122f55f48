"""Rejects a keyframe whose scene is larger or smaller than the shot's; score: by which share it jumps.

A picture may be drawn a little closer than its control image, but then the next one has to be as well. How close is
found by enlarging the control image until its edges lie on the picture's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from undercard.gate import Evidence, Finding, Pixels
from undercard.gate._thresholds import threshold

Edges: TypeAlias = NDArray[np.float32]

WIDTH = 160
"""Pixels across the pictures that are compared."""
SCALES = tuple(float(scale) for scale in np.exp(np.linspace(np.log(0.76), np.log(1.32), 23)))
"""In steps of 2.5 %."""
LEAST_LIKENESS = 0.35
"""Correlation of the edges; below it the two show nothing alike, and nothing is said."""


class Scale:
    """Compares how much closer than its control image each of two keyframes is."""

    name = "scale"
    cost = 0.015

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when the camera is as close as at the keyframe before."""
        row = threshold(self.name, evidence.backend)
        before, control, before_control = evidence.before, evidence.control, evidence.before_control
        if before is None or control is None or before_control is None:
            return row.finding(0.0, "")
        now, then = enlargement(evidence.pixels, control), enlargement(before, before_control)
        if now is None or then is None:
            return row.finding(0.0, "")
        score = abs(now / then - 1.0)
        cause = (
            f"the scene is {score:.0%} {'larger' if now > then else 'smaller'} than at the keyframe before, beyond what"
            f" the camera explains; {row.limit:.0%} may be"
        )
        return row.finding(score, cause)


def enlargement(pixels: Pixels, control: Pixels) -> float | None:
    """Return how much larger *pixels* show what *control* shows; None where they show nothing alike."""
    height, width = pixels.shape[:2]
    size = WIDTH, max(8, round(WIDTH * height / width))
    found = _edges(_small(pixels, size))
    drawn = _small(control, size)
    likenesses = [_likeness(found, _edges(_scaled(drawn, scale))) for scale in SCALES]
    best = int(np.argmax(likenesses))
    if likenesses[best] < LEAST_LIKENESS:
        return None
    return SCALES[best]


def _small(pixels: Pixels, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(pixels).convert("L").resize(size, Image.Resampling.BOX)


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    """Return *image* enlarged about its middle, or made smaller with its edges drawn out."""
    width, height = image.size
    shift = (width - width / scale) / 2.0, (height - height / scale) / 2.0
    return image.transform(
        image.size,
        Image.Transform.AFFINE,
        (1.0 / scale, 0.0, shift[0], 0.0, 1.0 / scale, shift[1]),
        Image.Resampling.BILINEAR,
    )


def _edges(image: Image.Image) -> Edges:
    """Return how steep *image* is, with its frame left out and little of its contrast."""
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(0.8)), np.float32)
    steep = np.hypot(soft[1:-1, 2:] - soft[1:-1, :-2], soft[2:, 1:-1] - soft[:-2, 1:-1])
    # The root, so that one bright rope does not outweigh the fighters.
    edges: Edges = np.sqrt(steep) * _middle(steep.shape)
    return edges


@lru_cache(maxsize=8)
def _middle(shape: tuple[int, int]) -> Edges:
    """Return 1 where every scale of a picture has pixels, 0 in the frame around."""
    mask = np.zeros(shape, np.float32)
    margin = (1.0 - SCALES[0]) / 2.0
    rows, columns = round(shape[0] * margin), round(shape[1] * margin)
    mask[rows : shape[0] - rows, columns : shape[1] - columns] = 1.0
    return mask


def _likeness(first: Edges, second: Edges) -> float:
    """Return the correlation of two pictures of edges, -1…1, within the middle."""
    inside = _middle(first.shape) > 0
    a, b = first[inside], second[inside]
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-6))


CHECK = Scale()

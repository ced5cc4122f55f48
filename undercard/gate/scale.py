"""Rejects a keyframe whose scene is larger or smaller than the shot's; score: by which share it jumps.

A picture may be drawn a little closer than its control image, but then the next one has to be as well. How close is
found by enlarging the control image until its edges lie on the picture's.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from undercard.gate import Evidence, Finding
from undercard.gate._thresholds import threshold

Edges: TypeAlias = NDArray[np.float32]

WIDTH = 128
"""Pixels across the pictures that are compared."""
SCALES = tuple(float(scale) for scale in np.exp(np.linspace(np.log(0.76), -np.log(0.76), 13)))
"""In steps of 4.7 %."""
LEAST_LIKENESS = 0.35
"""Correlation of the edges; below it the two show nothing alike, and nothing is said."""


class Scale:
    """Compares how much closer than its control image each of two keyframes is."""

    name = "scale"
    cost = 0.009

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when the camera is as close as at the keyframe before."""
        row = threshold(self.name, evidence.backend)
        before, control, before_control = evidence.before, evidence.control, evidence.before_control
        if before is None or control is None or before_control is None:
            return row.finding(0.0, "")
        now, then = (
            enlargement(evidence.thumbnail(one), evidence.thumbnail(other))
            for one, other in ((evidence.pixels, control), (before, before_control))
        )
        if now is None or then is None:
            return row.finding(0.0, "")
        score = abs(now / then - 1.0)
        cause = (
            f"the scene is {score:.0%} {'larger' if now > then else 'smaller'} than at the keyframe before, beyond what"
            f" the camera explains; {row.limit:.0%} may be"
        )
        return row.finding(score, cause)


def enlargement(picture: Image.Image, control: Image.Image) -> float | None:
    """Return how much larger *picture* shows what *control* shows; None where they show nothing alike."""
    size = WIDTH, max(16, round(WIDTH * picture.height / picture.width))
    found, drawn = (_edges(image.convert("L").resize(size, Image.Resampling.BOX)) for image in (picture, control))
    plane = Image.fromarray(drawn)
    likenesses = [_likeness(found, np.asarray(_scaled(plane, scale))) for scale in SCALES]
    best = int(np.argmax(likenesses))
    return SCALES[best] if likenesses[best] >= LEAST_LIKENESS else None


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    """Return *image* enlarged about its middle, or made smaller before black."""
    width, height = image.size
    shift = (width - width / scale) / 2.0, (height - height / scale) / 2.0
    return image.transform(
        image.size,
        Image.Transform.AFFINE,
        (1.0 / scale, 0.0, shift[0], 0.0, 1.0 / scale, shift[1]),
        Image.Resampling.BILINEAR,
    )


def _edges(image: Image.Image) -> Edges:
    """Return how steep *image* is, with little of its contrast."""
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(0.8)), np.float32)
    # The root, so that one bright rope does not outweigh the fighters.
    edges: Edges = np.sqrt(np.hypot(soft[1:-1, 2:] - soft[1:-1, :-2], soft[2:, 1:-1] - soft[:-2, 1:-1]))
    return edges


def _likeness(first: Edges, second: Edges) -> float:
    """Return the correlation of two pictures of edges, -1…1, where every scale of a picture has pixels."""
    rows, columns = (round(length * (1.0 - SCALES[0]) / 2.0) for length in first.shape)
    a, b = (each[rows : each.shape[0] - rows, columns : each.shape[1] - columns] for each in (first, second))
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-6))


CHECK = Scale()

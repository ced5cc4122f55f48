"""Rejects a keyframe whose scene is larger or smaller than the shot's; score: by which share it jumps.

A picture may be drawn a little closer than its control image, but then the next one has to be as well. How close is
found by enlarging the control image until its edges lie on the picture's.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.pictures import remembered
from undercard.gate.thresholds import threshold

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
    cost = 0.004

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


# What is the picture now is the one before at the next keyframe.
@remembered(4)
def enlargement(picture: Image.Image, drawn: Image.Image) -> float | None:
    """Return how much larger *picture* shows what *drawn* shows; None where they show nothing alike."""
    size = WIDTH, max(16, round(WIDTH * picture.height / picture.width))
    found, wanted = (_edges(image.convert("L").resize(size, Image.Resampling.BOX)) for image in (picture, drawn))
    # What every scale of a picture has pixels of.
    columns, rows = (round(length * (1.0 - SCALES[0]) / 2.0) for length in (found.shape[1], found.shape[0]))
    inside = columns, rows, found.shape[1] - columns, found.shape[0] - rows
    seen = _standard(found[inside[1] : inside[3], inside[0] : inside[2]])
    plane = Image.fromarray(wanted)
    likenesses = [float((seen * _standard(_scaled(plane, scale, inside))).sum()) for scale in SCALES]
    best = int(np.argmax(likenesses))
    return SCALES[best] if likenesses[best] >= LEAST_LIKENESS else None


def _scaled(image: Image.Image, scale: float, inside: tuple[int, int, int, int]) -> Edges:
    """Return the part *inside* of *image* enlarged about its middle; left, top, right and bottom."""
    left, top, right, bottom = inside
    x, y = ((length - length / scale) / 2.0 for length in image.size)
    part = image.transform(
        (right - left, bottom - top),
        Image.Transform.AFFINE,
        (1.0 / scale, 0.0, x + left / scale, 0.0, 1.0 / scale, y + top / scale),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(part)


def _edges(image: Image.Image) -> Edges:
    """Return how steep *image* is, with little of its contrast."""
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(0.8)), np.float32)
    # The root, so that one bright rope does not outweigh the fighters.
    edges: Edges = np.sqrt(np.hypot(soft[1:-1, 2:] - soft[1:-1, :-2], soft[2:, 1:-1] - soft[:-2, 1:-1]))
    return edges


def _standard(edges: Edges) -> Edges:
    """Return *edges* about their mean, as a vector of length 1: a product of two is their correlation, -1…1."""
    about: Edges = edges - edges.mean()
    about /= max(float(np.sqrt((about * about).sum())), 1e-3)
    return about


CHECK = Scale()

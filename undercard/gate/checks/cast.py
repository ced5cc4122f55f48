"""Rejects a picture in light of another colour than the shot's; score: how far its colours are off, CIE a*b*.

The shot's light is what the control image shows; a model may make its colours a little deeper, but all of it turned
green is another light. Where there is no control image, nothing is said.
"""

from __future__ import annotations

import numpy as np

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.colour import part_colours, weight
from undercard.gate.thresholds import threshold
from undercard.gate.vision.colour import Lab

DARKEST = 4.0
"""L* of a part that has a say: below it a level more or less is a colour."""
LEAST_SHARE = 0.1
"""Of the parts."""
DEEPER_SHARE = 0.25
"""Of a colour, by which it may be deeper or paler without being another."""


class Cast:
    """Compares colours with the control image's, part by part."""

    name = "cast"
    cost = 0.003

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when most parts have about the colour that the shot's light gives them."""
        row = threshold(self.name, evidence.backend)
        if evidence.control is None:
            return row.finding(0.0, "")
        a, b = colour_shift(*(part_colours(evidence.thumbnail(each)) for each in (evidence.pixels, evidence.control)))
        score = float(np.hypot(a, b))
        light = f" {evidence.staging.light!r}" if evidence.staging is not None else ""
        cause = f"too {_word(a, b)} for the shot's light{light}: {score:.1f} off in CIE a*b*, {row.limit} may be"
        return row.finding(score, cause)


def colour_shift(found: Lab, wanted: Lab) -> tuple[float, float]:
    """Return how far *found* is off in a* and b*, relative to how light it is: the median of the parts."""
    speaks = np.minimum(found[:, 0], wanted[:, 0]) >= DARKEST
    if speaks.mean() < LEAST_SHARE:
        return 0.0, 0.0
    scale = weight((found[speaks, 0] + wanted[speaks, 0]) / 2.0)
    shift = _beyond_depth(found[speaks, 1:], wanted[speaks, 1:]) * scale[:, None]
    a, b = np.median(shift, axis=0)
    return float(a), float(b)


def _beyond_depth(found: Lab, wanted: Lab) -> Lab:
    """Return how *found* differs from *wanted*, a* and b*, beyond being deeper or paler by a little."""
    shift = found - wanted
    depth = np.maximum(np.linalg.norm(wanted, axis=1), 1e-6)
    along = (shift * wanted).sum(axis=1) / depth
    allowed = np.clip(along, -DEEPER_SHARE * depth, DEEPER_SHARE * depth)
    beyond: Lab = shift - wanted * (allowed / depth)[:, None]
    return beyond


def _word(a: float, b: float) -> str:
    if abs(a) >= abs(b):
        return "red" if a > 0 else "green"
    return "yellow" if b > 0 else "blue"


CHECK = Cast()

"""Rejects a keyframe whose exposure or hue jumps from the one before; score: the jump, CIE L*a*b*.

What the camera sees changes between keyframes, and a cut changes all of it. So both are held against their control
images: a picture may be lighter than its control image, but then the next one has to be lighter as well.
"""

from __future__ import annotations

import numpy as np

from undercard.gate import Evidence, Fault, Finding
from undercard.gate._colour import Lab, part_colours
from undercard.gate._thresholds import threshold

DARKEST = 4.0
"""L* of a part that has a say."""


class Jump:
    """Compares how two keyframes differ with how their control images do."""

    name = "jump"
    cost = 0.006

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when the look is that of the keyframe before."""
        row = threshold(self.name, evidence.backend)
        before, control, before_control = evidence.before, evidence.control, evidence.before_control
        if before is None or control is None or before_control is None:
            return row.finding(0.0, Fault.JUMP, "")
        now, then = look(evidence.pixels, control), look(before, before_control)
        difference = now - then
        score = float(np.linalg.norm(difference))
        cause = (
            f"{_word(difference)} than the keyframe before: {score:.1f} in CIE L*a*b* beyond what the camera explains,"
            f" {row.limit} may be"
        )
        return row.finding(score, Fault.JUMP, cause)


def look(pixels: np.ndarray, control: np.ndarray) -> Lab:
    """Return how *pixels* are graded over their *control*: the median difference of the parts, shape (3,)."""
    found, drawn = part_colours(pixels), part_colours(control)
    speaks = np.maximum(found[:, 0], drawn[:, 0]) >= DARKEST
    if not speaks.any():
        return np.zeros(3)
    middle: Lab = np.median(found[speaks] - drawn[speaks], axis=0)
    return middle


def _word(difference: Lab) -> str:
    index = int(np.abs(difference).argmax())
    words = (("lighter", "darker"), ("redder", "greener"), ("yellower", "bluer"))[index]
    return words[0] if difference[index] > 0 else words[1]


CHECK = Jump()

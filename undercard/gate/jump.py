"""Rejects a keyframe whose exposure or hue jumps from the one before; score: the jump, CIE L*a*b* at L* 50.

What the camera sees changes between keyframes, and a cut changes all of it. So the keyframe before, beside its control
image, tells how this shot is graded: which lightness a part of the control image is given. The new one is held against
what that grade would make of its own control image.
"""

from __future__ import annotations

import numpy as np

from undercard.gate import Evidence, Finding, noise
from undercard.gate._colour import part_colours, weight
from undercard.gate._thresholds import threshold
from undercard.vision.colour import Lab

DARKEST = 4.0
"""L* of a part that has a say."""
KNOTS = 12
"""Of the curve that a grade is."""
LEAST_PARTS = 12
"""Parts of the new control image as light as some of the one before; with fewer, nothing is said."""


class Jump:
    """Compares how two keyframes are graded over their control images."""

    name = "jump"
    cost = 0.004

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when the look is that of the keyframe before."""
        row = threshold(self.name, evidence.backend)
        before, control, before_control = evidence.before, evidence.control, evidence.before_control
        if before is None or control is None or before_control is None:
            return row.finding(0.0, "")
        difference = jump(
            *(part_colours(evidence.thumbnail(each)) for each in (evidence.pixels, control, before, before_control))
        )
        score = float(np.linalg.norm(difference))
        cause = (
            f"{_word(difference)} than the keyframe before: {score:.1f} in CIE L*a*b* beyond what the camera explains,"
            f" {row.limit} may be"
        )
        finding = row.finding(score, cause)
        # Grain that is cut off at black lifts what is dark; it is rejected as what it is.
        return finding if finding.passed or noise.CHECK.examine(evidence).passed else row.abstention(0.0)


def jump(found: Lab, control: Lab, before: Lab, before_control: Lab) -> Lab:
    """Return by how much *found* is off from the grade of *before*, the median of the parts; shape (3,)."""
    levels, grade = _grade(before, before_control)
    speaks = (control[:, 0] >= max(DARKEST, levels[0])) & (control[:, 0] <= levels[-1])
    if speaks.sum() < LEAST_PARTS:
        return np.zeros(3)
    drawn = control[speaks]
    expected = np.stack([np.interp(drawn[:, 0], levels, grade[:, axis]) for axis in range(3)], axis=1)
    beyond = (found[speaks] - drawn - expected) * weight(drawn[:, 0])[:, None]
    middle: Lab = np.median(beyond, axis=0)
    return middle


def _grade(picture: Lab, control: Lab) -> tuple[Lab, Lab]:
    """Return lightnesses of *control*, shape (knots,), and what is added there to its colour, shape (knots, 3)."""
    order = np.argsort(control[:, 0], kind="stable")
    groups = np.array_split(order, KNOTS)
    levels = np.array([np.median(control[group, 0]) for group in groups])
    added = np.array([np.median(picture[group] - control[group], axis=0) for group in groups])
    return levels, added


def _word(difference: Lab) -> str:
    index = int(np.abs(difference).argmax())
    words = (("lighter", "darker"), ("redder", "greener"), ("yellower", "bluer"))[index]
    return words[0] if difference[index] > 0 else words[1]


CHECK = Jump()

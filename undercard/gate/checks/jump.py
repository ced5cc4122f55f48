"""Rejects a keyframe whose exposure or hue jumps from the one before; score: the sure part of the jump, CIE L*a*b*.

What the camera sees changes between keyframes, and a cut changes all of it. So the keyframe before, beside its control
image, tells how this shot is graded (`_grade`), and the new one is held against what that grade would make of its own
control image.

A jump is the same everywhere. What a model does to the light here and there moves single regions of the picture this
way and that, and where a night leaves few that can be read, their mean is moved as well. So the jump is the mean of the
regions, and only what is beyond twice its standard error counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.colour import PARTS, Levels, colours, part_levels, weight
from undercard.gate.measures.grade import learnt
from undercard.gate.thresholds import threshold
from undercard.gate.vision.colour import Lab

DARKEST, LIGHTEST = 3.0, 90.0
"""L* of a part that has a say: below, a level more or less is a jump; above, more light cannot show."""
REGION = (4, 3)
"""Parts across and down."""
LEAST_PARTS = 2
"""Of a region that has a say."""
ENOUGH_PARTS = 8
"""Of a region whose say is a whole one."""
ERRORS = 2.0
"""Standard errors that a jump is beyond."""
USUAL = 3.0, 2.0
"""CIE L*a*b* that regions differ by, and as how many regions that counts: two that agree by chance prove little."""
OFF = 2.0
"""Times what regions are off in the median, from which on one is less believed."""
ALIKE = 2.0
"""CIE L*a*b* that no region is blamed for."""


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
        told = jump(
            *(part_levels(evidence.thumbnail(each)) for each in (evidence.pixels, control, before, before_control))
        )
        if told is None:
            return row.abstention(0.0)
        difference, error = told
        score = max(float(np.linalg.norm(difference)) - ERRORS * error, 0.0)
        cause = (
            f"{_word(difference)} than the keyframe before: at least {score:.1f} in CIE L*a*b* beyond what the camera"
            f" explains, {row.limit} may be"
        )
        return row.finding(score, cause)


def jump(found: Levels, control: Levels, before: Levels, before_control: Levels) -> tuple[Lab, float] | None:
    """Return by how much *found* is off from the grade of *before*, shape (3,), and the standard error of that.

    Both are CIE L*a*b* at L* 50; None where no region can be told.
    """
    grade = learnt(before, before_control)
    expected = colours(grade(control))
    speaks = grade.knows(control) & (expected[:, 0] >= DARKEST) & (expected[:, 0] <= LIGHTEST)
    beyond = (colours(found) - expected) * weight(expected[:, 0])[:, None]
    regions, parts = _regions(beyond, speaks)
    return _mean(regions, np.minimum(parts / ENOUGH_PARTS, 1.0)) if len(regions) else None


def _regions(beyond: Lab, speaks: NDArray[np.bool_]) -> tuple[Lab, NDArray[np.int_]]:
    """Return the median of those parts of each region that speak, shape (regions, 3), and how many they are."""
    columns, rows = PARTS[0] // REGION[0], PARTS[1] // REGION[1]
    silent = np.where(speaks[:, None], beyond, np.inf).reshape(rows, REGION[1], columns, REGION[0], 3)
    ordered = np.sort(silent.swapaxes(1, 2).reshape(rows * columns, -1, 3), axis=1)
    parts = np.isfinite(ordered[:, :, 0]).sum(axis=1)
    ordered, parts = ordered[parts >= LEAST_PARTS], parts[parts >= LEAST_PARTS]
    index = np.arange(len(parts))
    return (ordered[index, (parts - 1) // 2] + ordered[index, parts // 2]) / 2.0, parts


def _mean(regions: Lab, says: NDArray[np.float64]) -> tuple[Lab, float]:
    """Return the mean of *regions*, of those that are far off less, and its standard error."""
    off = np.linalg.norm(regions - np.median(regions, axis=0), axis=1)
    says = says / (1.0 + (off / (OFF * (np.median(off) + ALIKE))) ** 2)
    mean: Lab = says @ regions / says.sum()
    many = says.sum() ** 2 / (says @ says)
    variance = says @ ((regions - mean) ** 2).sum(axis=1) / says.sum()
    usual, counts = USUAL
    expected = (variance * many + usual**2 * counts) / (many + counts)
    return mean, float(np.sqrt(expected / many))


def _word(difference: Lab) -> str:
    index = int(np.abs(difference).argmax())
    words = (("lighter", "darker"), ("redder", "greener"), ("yellower", "bluer"))[index]
    return words[0] if difference[index] > 0 else words[1]


CHECK = Jump()

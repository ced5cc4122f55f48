"""Rejects a take that repeats an earlier one; score: root of the mean squared difference, levels of 255.

Another seed gives other pixels nearly everywhere. A take that only lost the noise or blur of an earlier one is no
repetition, so that fine differences count here, unlike between keyframes.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from undercard.gate import Evidence, Finding, Pixels
from undercard.gate._spots import MOST_DIFFERENT
from undercard.gate._thresholds import threshold


class Repeated:
    """Compares with each earlier take."""

    name = "repeated"
    # A take; there are three at most as a rule.
    cost = 0.006

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when the picture differs from every earlier take."""
        row = threshold(self.name, evidence.backend)
        differences = [difference(evidence.pixels, take) for take in evidence.takes]
        score = min(differences, default=MOST_DIFFERENT)
        cause = f"the same picture as an earlier take: {score:.1f} of 255 levels apart, {row.limit} are needed"
        return row.finding(score, cause)


def difference(first: Pixels, second: Pixels) -> float:
    """Return how far two pictures are apart at half their size, after evening out the brightness; levels."""
    if first.shape != second.shape:
        return MOST_DIFFERENT
    height, width = first.shape[:2]
    size = max(1, width // 2), max(1, height // 2)
    one, other = (
        np.asarray(Image.fromarray(each).convert("L").resize(size, Image.Resampling.BOX)).astype(np.float32)
        for each in (first, second)
    )
    return float((one - other).std())


CHECK = Repeated()

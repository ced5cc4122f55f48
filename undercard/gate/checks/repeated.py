"""Rejects a take that repeats an earlier one; score: root of the mean squared difference, levels of 255.

Another seed gives other pixels nearly everywhere. A take that only lost the noise or blur of an earlier one is no
repetition, so that fine differences count here, unlike between keyframes.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.spots import MOST_DIFFERENT
from undercard.gate.pictures import Grey, luma
from undercard.gate.thresholds import threshold


class Repeated:
    """Compares with each earlier take."""

    name = "repeated"
    # A take; there are three at most as a rule.
    cost = 0.002

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when the picture differs from every earlier take."""
        row = threshold(self.name, evidence.backend)
        differences = [difference(evidence.grey, luma(take)) for take in evidence.takes]
        score = min(differences, default=MOST_DIFFERENT)
        cause = f"the same picture as an earlier take: {score:.1f} of 255 levels apart, {row.limit} are needed"
        return row.finding(score, cause)


def difference(first: Grey, second: Grey) -> float:
    """Return how far two pictures of luma are apart at half their size, after evening out the brightness; levels."""
    if first.shape != second.shape:
        return MOST_DIFFERENT
    one, other = (np.asarray(Image.fromarray(each).reduce(2)).astype(np.int16) for each in (first, second))
    return float((one - other).std(dtype=np.float32))


CHECK = Repeated()

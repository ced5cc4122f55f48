"""Rejects a picture in too few levels; score: how far apart the levels lie that it uses, 1 for all of them.

What a decoder rounds to few levels (8-bit floats, say) shows as bands in skies and skin. Its histogram is a comb,
whatever the picture shows; one that was computed in finer steps and rounded once has no gaps where it has pixels.
"""

from __future__ import annotations

import numpy as np

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.thresholds import threshold

WINDOW = 24
"""Levels to either side that a level is compared with."""
USED_SHARE = 0.12
"""A level counts as used when it has this share of the most frequent one around it, on the side that has fewer: a level
beside a peak is no gap if the histogram only falls there, as beside the black of a night or the grey of a dead tile."""


class Banding:
    """Looks for gaps in the histogram."""

    name = "banding"
    cost = 0.001

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when levels follow each other closely."""
        row = threshold(self.name, evidence.backend)
        counts = np.array(evidence.histogram, np.float64).reshape(3, 256)
        score = float(np.median([spacing(channel) for channel in counts]))
        cause = f"banded: it uses every {score:.1f}th level only, {row.limit} may lie between"
        return row.finding(score, cause)


def spacing(counts: np.ndarray) -> float:
    """Return the mean distance from a pixel's level to the next used one above, for *counts* of 256 levels."""
    # The ends collect what was cut off there.
    inner = counts[1:-1]
    beside = np.lib.stride_tricks.sliding_window_view(np.pad(inner, WINDOW), WINDOW).max(axis=1)
    around = np.minimum(beside[: len(inner)], beside[WINDOW + 1 :])
    used = np.nonzero((inner > 0) & (inner >= USED_SHARE * around))[0]
    if len(used) < 3:
        return 1.0
    gaps = np.diff(used)
    weights = np.minimum(inner[used[:-1]], inner[used[1:]])
    # Where a few pixels lie scattered, as in lights of a dark hall, gaps say nothing.
    speaks = (weights >= 1e-4 * counts.sum()) & (gaps <= 2 * WINDOW)
    if not speaks.any():
        return 1.0
    return float(np.average(gaps[speaks], weights=weights[speaks]))


CHECK = Banding()

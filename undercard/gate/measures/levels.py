"""How far apart the levels lie that a picture uses: 1 where it uses all of them.

What a decoder rounds to few levels (8-bit floats, say) shows as bands in skies and skin. Its histogram is a comb,
whatever the picture shows; one that was computed in finer steps and rounded once has no gaps where it has pixels.
"""

from __future__ import annotations

import numpy as np

from undercard.gate.evidence import Evidence

WINDOW = 24
"""Levels to either side that a level is compared with."""
USED_SHARE = 0.12
"""A level counts as used when it has this share of the most frequent one around it, on the side that has fewer: a level
beside a peak is no gap if the histogram only falls there, as beside the black of a night or the grey of a dead tile."""


def spacing_of(evidence: Evidence) -> float:
    """Return the median `spacing` of the three channels of the picture of *evidence*."""
    counts = np.array(evidence.histogram, np.float64).reshape(3, 256)
    return float(np.median([spacing(channel) for channel in counts]))


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

"""Rejects a noisy picture; score: standard deviation of its noise, levels, where the picture is smooth.

The measure is Immerkær's (Computer Vision and Image Understanding 64, 1996): a mask that answers to neither planes nor
straight edges. Its median answer over a tile stands for the tile, so that what structure is left does not count, and
the smoother tiles stand for the picture. Tiles at either end of the scale, where noise is cut off, have no say.
"""

from __future__ import annotations

import numpy as np

from undercard.gate import Evidence, Finding, Grey
from undercard.gate._thresholds import threshold

TILE = 32
"""Pixels."""
SMOOTHEST_PERCENT = 30.0
DARKEST, LIGHTEST = 10.0, 235.0
"""Mean levels of a tile that has a say."""
MASK_GAIN = 6.0
"""Root of the sum of the mask's squares: 36."""
MEDIAN_OF_NORMAL = 0.6745
"""Of the absolute value of a normal deviate."""


class Noise:
    """Measures noise tile by tile."""

    name = "noise"
    cost = 0.012

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when the smoother parts are smooth."""
        row = threshold(self.name, evidence.backend)
        score = noise(evidence.grey)
        cause = f"noisy: grain of {score:.1f} of 255 levels where the picture is smooth, {row.limit} may be"
        return row.finding(score, cause)


def noise(luma: Grey) -> float:
    """Return the standard deviation of the noise of *luma*, levels; 0 where nothing can be said."""
    grey = luma.astype(np.int16)
    # The mask is the second difference along both ways: rows first, then columns.
    across = grey[:, :-2] - 2 * grey[:, 1:-1] + grey[:, 2:]
    answer = np.abs(across[:-2] - 2 * across[1:-1] + across[2:])
    rows, columns = answer.shape[0] // TILE, answer.shape[1] // TILE
    if not rows or not columns:
        return 0.0

    def tiles(plane: np.ndarray) -> np.ndarray:
        whole = plane[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE)
        # Every other row: noise is the same in all, and a median takes most of the time.
        return whole[:, ::2].swapaxes(1, 2).reshape(rows * columns, -1)

    means = tiles(grey[1:-1, 1:-1]).mean(axis=1)
    speaks = (means >= DARKEST) & (means <= LIGHTEST)
    if not speaks.any():
        return 0.0
    found = np.median(tiles(answer)[speaks], axis=1) / (MEDIAN_OF_NORMAL * MASK_GAIN)
    return float(np.percentile(found, SMOOTHEST_PERCENT))


CHECK = Noise()

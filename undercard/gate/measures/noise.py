"""How noisy a picture is where it is smooth.

The measure is Immerkær's (Computer Vision and Image Understanding 64, 1996): a mask that answers to neither planes nor
straight edges. Its median answer over a tile stands for the tile, so that what structure is left does not count, and
the smoother tiles stand for the picture. Tiles at either end of the scale, where noise is cut off, have no say.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undercard.gate.evidence import Evidence
from undercard.gate.measures.middle import middle
from undercard.gate.pictures import Grey

TILE = 32
"""Pixels."""
SAMPLED = 4
"""Rows from one that is looked at to the next."""
SMOOTHEST_PERCENT = 30.0
DARKEST, LIGHTEST = 10.0, 235.0
"""Mean levels of a tile that has a say."""
MASK_GAIN = 6.0
"""Root of the sum of the mask's squares: 36."""
MEDIAN_OF_NORMAL = 0.6745
"""Of the absolute value of a normal deviate."""


def noise_of(evidence: Evidence) -> float:
    """Return `noise` of the picture of *evidence*."""
    return noise(evidence.grey)


def noise(luma: Grey) -> float:
    """Return the standard deviation of the noise of *luma*, levels; 0 where nothing can be said."""
    height = (luma.shape[0] - 2) // TILE * TILE
    width = (luma.shape[1] - 2) // TILE * TILE
    if height <= 0 or width <= 0:
        return 0.0
    # One row in four: noise is the same in all, and a median takes most of the time.
    above, row, below = (luma[first : first + height : SAMPLED].astype(np.int16) for first in range(3))
    # The mask is the second difference along both ways.
    across = above - 2 * row + below
    answer = np.abs(across[:, :width] - 2 * across[:, 1 : width + 1] + across[:, 2 : width + 2])
    means = _tiles(row[:, 1 : width + 1]).mean(axis=1)
    speaks = (means >= DARKEST) & (means <= LIGHTEST)
    if not speaks.any():
        return 0.0
    found = middle(_tiles(answer)[speaks]) / (MEDIAN_OF_NORMAL * MASK_GAIN)
    return float(np.percentile(found, SMOOTHEST_PERCENT))


def _tiles(plane: NDArray[np.int16]) -> NDArray[np.int16]:
    """Cut *plane*, of sampled rows, into tiles; shape (tiles, pixels)."""
    rows, columns = plane.shape[0] * SAMPLED // TILE, plane.shape[1] // TILE
    cut = plane.reshape(rows, TILE // SAMPLED, columns, TILE)
    return cut.swapaxes(1, 2).reshape(rows * columns, -1)

"""How far two pictures differ, spot by spot.

Keyframes of a shot share their background and most of their fighters, so that hashes and mean differences call them
equal when one arm has moved. The largest difference of any spot does not: an arm that moves by a few pixels changes
some spot, while grain, compression and exposure change every spot a little.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undercard.gate import Pixels

Spots: TypeAlias = NDArray[np.float32]

SPOTS_ACROSS = 128
"""A spot is 8 px at a width of 1024: about a fist at the far side of the ring."""
MOST_DIFFERENT = 255.0


def largest_difference(first: Pixels, second: Pixels) -> float:
    """Return how much the most different spot differs, in levels, after evening out the brightness."""
    height, width = first.shape[:2]
    grid = SPOTS_ACROSS, max(1, round(SPOTS_ACROSS * height / width))
    difference = spots(first, grid) - spots(second, grid)
    return float(np.abs(difference - difference.mean()).max())


def spots(pixels: Pixels, grid: tuple[int, int]) -> Spots:
    """Return the mean luma of *pixels* in each cell of *grid* (columns, rows), shape (rows, columns)."""
    grey = Image.fromarray(pixels).convert("L")
    return np.asarray(grey.resize(grid, Image.Resampling.BOX)).astype(np.float32)

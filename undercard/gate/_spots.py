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


def largest_difference(
    first: Pixels,
    second: Pixels,
    across: int = SPOTS_ACROSS,
    resampling: Image.Resampling = Image.Resampling.BOX,
) -> float:
    """Return how much the most different spot differs, in levels, after evening out the brightness.

    Args:
        first: decides the shape of the grid of spots.
        second: is stretched over the same grid.
        across: spots in a row.
        resampling: how a spot is made of its pixels. A box is exact where both have the same size.
    """
    height, width = first.shape[:2]
    grid = across, max(1, round(across * height / width))
    difference = _spots(first, grid, resampling) - _spots(second, grid, resampling)
    return float(np.abs(difference - difference.mean()).max())


def _spots(pixels: Pixels, grid: tuple[int, int], resampling: Image.Resampling) -> Spots:
    grey = Image.fromarray(pixels).convert("L")
    return np.asarray(grey.resize(grid, resampling)).astype(np.float32)

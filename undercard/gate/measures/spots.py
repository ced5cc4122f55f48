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

Spots: TypeAlias = NDArray[np.float32]

SPOTS_ACROSS = 128
"""A spot is 8 px at a width of 1024: about a fist at the far side of the ring."""
MOST_DIFFERENT = 255.0


def largest_difference(
    first: Image.Image,
    second: Image.Image,
    across: int = SPOTS_ACROSS,
    resampling: Image.Resampling = Image.Resampling.BOX,
) -> float:
    """Return how much the most different spot differs, in levels, after evening out the brightness.

    Args:
        first: RGB, a thumbnail as a rule; decides the shape of the grid of spots.
        second: is stretched over the same grid.
        across: spots in a row.
        resampling: how a spot is made of its pixels. A box is exact where both have the same size.
    """
    grid = across, max(1, round(across * first.height / first.width))
    difference = _spots(first, grid, resampling) - _spots(second, grid, resampling)
    return float(np.abs(difference - difference.mean()).max())


def _spots(image: Image.Image, grid: tuple[int, int], resampling: Image.Resampling) -> Spots:
    return np.asarray(image.convert("L").resize(grid, resampling)).astype(np.float32)

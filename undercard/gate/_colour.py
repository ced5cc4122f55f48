"""Mean colours of the parts of a picture, in CIE L*a*b*."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undercard.vision.colour import Lab, lab

PARTS = (32, 18)
"""Columns and rows of a picture."""
MIDDLE = 50.0
"""L* that differences are told at, see `weight`."""


def part_colours(image: Image.Image) -> Lab:
    """Return L*, a* and b* of the mean of each part of *image*, RGB; shape (parts, 3)."""
    return lab(np.asarray(image.resize(PARTS, Image.Resampling.BOX)).reshape(-1, 3))


def weight(lightness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much more a difference means at *lightness*, L*, than at L* 50.

    The same change of the light moves L*, a* and b* by less on what is darker: all three go by the cube root, so that
    they move in proportion to L* + 16.
    """
    scaled: NDArray[np.float64] = (MIDDLE + 16.0) / (lightness + 16.0)
    return scaled

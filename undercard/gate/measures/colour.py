"""Mean colours of the parts of a picture, in CIE L*a*b*."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undercard.gate.vision.colour import Lab, lab

Levels: TypeAlias = NDArray[np.float64]
"""sRGB as it is stored, 0 to 1, shape (parts, 3)."""

PARTS = (32, 18)
"""Columns and rows of a picture."""
MIDDLE = 50.0
"""L* that differences are told at, see `weight`."""


def part_colours(image: Image.Image) -> Lab:
    """Return L*, a* and b* of the mean of each part of *image*, RGB; shape (parts, 3)."""
    return lab(_means(image))


def part_levels(image: Image.Image) -> Levels:
    """Return the mean of each part of *image*, RGB."""
    return _means(image) / 255.0


def colours(levels: Levels) -> Lab:
    """Return L*, a* and b* of *levels*; shape (parts, 3)."""
    return lab(levels * 255.0)


def weight(lightness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much more a difference means at *lightness*, L*, than at L* 50.

    The same change of the light moves L*, a* and b* by less on what is darker: all three go by the cube root, so that
    they move in proportion to L* + 16.
    """
    scaled: NDArray[np.float64] = (MIDDLE + 16.0) / (lightness + 16.0)
    return scaled


def _means(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.resize(PARTS, Image.Resampling.BOX)).reshape(-1, 3)

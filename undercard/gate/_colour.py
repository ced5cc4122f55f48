"""Mean colours of the parts of a picture, in CIE L*a*b*."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Lab: TypeAlias = NDArray[np.float64]

PARTS = (32, 18)
"""Columns and rows of a picture."""
MIDDLE = 50.0
"""L* that differences are told at, see `weight`."""
# sRGB's primaries under D65 (IEC 61966-2-1), over the white point.
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
) / np.array([[0.95047], [1.0], [1.08883]])


def part_colours(image: Image.Image) -> Lab:
    """Return L*, a* and b* of the mean of each part of *image*, RGB; shape (parts, 3)."""
    small = np.asarray(image.resize(PARTS, Image.Resampling.BOX), np.float64).reshape(-1, 3) / 255.0
    linear = np.where(small <= 0.04045, small / 12.92, ((small + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T
    # CIE 15: the cube root, and a straight line near black.
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    lightness = 116.0 * root[:, 1] - 16.0
    return np.stack([lightness, 500.0 * (root[:, 0] - root[:, 1]), 200.0 * (root[:, 1] - root[:, 2])], axis=1)


def weight(lightness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much more a difference means at *lightness*, L*, than at L* 50.

    The same change of the light moves L*, a* and b* by less on what is darker: all three go by the cube root, so that
    they move in proportion to L* + 16.
    """
    scaled: NDArray[np.float64] = (MIDDLE + 16.0) / (lightness + 16.0)
    return scaled

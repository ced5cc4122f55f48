"""The colours that a fighter wears, read off at his joints.

A boxer is told from the other one by his trunks and gloves; where the joints are, cloth and leather are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.vision.adherence import Flags
from undercard.vision.networks import Floats
from undercard.vision.pose import Pixels

Lab: TypeAlias = NDArray[np.float64]
"""CIE L*a*b* under D65, shape (…, 3)."""
Graded: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""What becomes of sRGB levels, 0 to 1, shape (pixels, 3), in another picture."""

# (elbow, wrist) and (hip, knee), left and right.
FOREARMS = ((7, 9), (8, 10))
THIGHS = ((11, 13), (12, 14))
ON_THIGH = (0.15, 0.3, 0.45)
"""Shares of the way from hip to knee: below the waistband, above the hem."""
ON_GLOVE = (1.1, 1.25)
"""Shares of the way from elbow to wrist: a glove lies beyond the wrist."""
PATCH = 0.018
"""Half the side of a patch, over the person's height."""

# sRGB's primaries under D65 (IEC 61966-2-1), over the white point.
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
) / np.array([[0.95047], [1.0], [1.08883]])


@dataclass(frozen=True, slots=True)
class Worn:
    """What colours somebody wears; None for what cannot be seen."""

    trunks: Lab | None
    gloves: Lab | None


def worn(pixels: Pixels, xy: Floats, seen: Flags, height: float, graded: Graded | None = None) -> Worn:
    """Return the colours at the joints *xy*, shape (17, 2) px, of one who is *height* px tall and *seen* so far.

    They are what *graded* makes of those of *pixels*, where it is given.
    """
    half = max(1.0, PATCH * height)
    # Of a thigh one end is often hidden, by the other glove or the other fighter; a glove is beyond its wrist.
    thighs = _patches(pixels, _along(xy, seen, THIGHS, ON_THIGH, ends=(0, 1)), half)
    gloves = _patches(pixels, _along(xy, seen, FOREARMS, ON_GLOVE, ends=(1,)), half)
    trunks, hands = (_median(each if graded is None else graded(each / 255.0) * 255.0) for each in (thighs, gloves))
    return Worn(trunks, hands)


def lab(colour: str | NDArray[np.floating] | NDArray[np.uint8]) -> Lab:
    """Return sRGB, `#rrggbb` or levels of shape (…, 3), as CIE L*a*b*."""
    if isinstance(colour, str):
        colour = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], np.float32)
    srgb = np.asarray(colour, np.float64) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T
    # CIE 15: the cube root, and a straight line near black.
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)


def _along(
    xy: Floats, seen: Flags, bones: tuple[tuple[int, int], ...], shares: tuple[float, ...], ends: tuple[int, ...]
) -> Iterator[tuple[float, float]]:
    """Yield places along each of *bones* of whose *ends* one is seen."""
    for bone in bones:
        if any(seen[bone[end]] for end in ends):
            start, end = xy[bone[0]], xy[bone[1]]
            for share in shares:
                x, y = start + (end - start) * share
                yield float(x), float(y)


def _patches(pixels: Pixels, places: Iterator[tuple[float, float]], half: float) -> Pixels:
    """Return the pixels of the patches about *places*, shape (pixels, 3)."""
    height, width = pixels.shape[:2]
    patches = [np.empty((0, 3), np.uint8)]
    for x, y in places:
        left, right = max(0, round(x - half)), min(width, round(x + half) + 1)
        top, bottom = max(0, round(y - half)), min(height, round(y + half) + 1)
        if left < right and top < bottom:
            patches.append(pixels[top:bottom, left:right].reshape(-1, 3))
    return np.concatenate(patches)


def _median(levels: NDArray[np.floating] | Pixels) -> Lab | None:
    """Return the median colour of *levels*, shape (pixels, 3); a stripe or a highlight has no say."""
    found: Lab | None = np.median(lab(levels), axis=0) if len(levels) else None
    return found

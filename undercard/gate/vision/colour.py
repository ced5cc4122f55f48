"""The colours that a fighter wears, read off at his joints.

A boxer is told from the other one by his trunks and gloves; where the joints are, cloth and leather are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.gate.vision.adherence import Flags
from undercard.gate.vision.networks import Floats
from undercard.gate.vision.pose import Pixels

Lab: TypeAlias = NDArray[np.float64]
"""CIE L*a*b* under D65, shape (…, 3)."""

Place: TypeAlias = tuple[float, float]
"""Pixels."""

# (elbow, wrist) and (hip, knee), left and right.
FOREARMS = ((7, 9), (8, 10))
THIGHS = ((11, 13), (12, 14))
ON_THIGH = (0.15, 0.3, 0.45)
"""Shares of the way from hip to knee: below the waistband, above the hem."""
ON_GLOVE = (1.1, 1.25)
"""Shares of the way from elbow to wrist: a glove lies beyond the wrist."""
PATCH = 0.018
"""Half the side of a patch, over the person's height."""
CELLS = 3
"""Along each side of a patch, where stripe and cloth are told apart."""

# sRGB's primaries under D65 (IEC 61966-2-1), over the white point.
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
) / np.array([[0.95047], [1.0], [1.08883]])


@dataclass(frozen=True, slots=True)
class Worn:
    """What colours somebody wears; None for what cannot be seen."""

    trunks: Lab | None
    gloves: Lab | None


@dataclass(frozen=True, slots=True)
class Cloth:
    """What lies on somebody's thighs and fists, place by place: sRGB, 0 to 1, shape (cells, 3), NaN out of frame."""

    trunks: NDArray[np.float64]
    gloves: NDArray[np.float64]


def worn(pixels: Pixels, xy: Floats, seen: Flags, height: float) -> Worn:
    """Return the colours at the joints *xy*, shape (17, 2) px, of one who is *height* px tall and *seen* so far."""
    half = max(1.0, PATCH * height)
    thighs, fists = _places(xy, seen)
    return Worn(_median(pixels, thighs, half), _median(pixels, fists, half))


def cloth(pixels: Pixels, xy: Floats, seen: Flags, height: float) -> Cloth:
    """Return the cells of each place at the joints *xy*; as many for all *xy* with the same joints *seen*."""
    cell = max(1, round(2.0 * PATCH * height / CELLS))
    trunks, gloves = (
        np.concatenate([np.empty((0, 3)), *(_cells(pixels, place, cell) for place in places)])
        for places in _places(xy, seen)
    )
    return Cloth(trunks, gloves)


def levels(colour: str) -> NDArray[np.float64]:
    """Return the sRGB levels of `#rrggbb`, shape (3,)."""
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], np.float64)


def lab(colour: str | NDArray[np.floating] | NDArray[np.uint8]) -> Lab:
    """Return sRGB, `#rrggbb` or levels of shape (…, 3), as CIE L*a*b*."""
    srgb = np.asarray(levels(colour) if isinstance(colour, str) else colour, np.float64) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T
    # CIE 15: the cube root, and a straight line near black.
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)


def _places(xy: Floats, seen: Flags) -> tuple[list[Place], list[Place]]:
    """Return the places on the thighs, and on the gloves, of one whose joints *xy* are *seen* so far."""
    # Of a thigh one end is often hidden, by the other glove or the other fighter; a glove is beyond its wrist.
    return list(_along(xy, seen, THIGHS, ON_THIGH, ends=(0, 1))), list(_along(xy, seen, FOREARMS, ON_GLOVE, ends=(1,)))


def _along(
    xy: Floats, seen: Flags, bones: tuple[tuple[int, int], ...], shares: tuple[float, ...], ends: tuple[int, ...]
) -> Iterator[Place]:
    """Yield places along each of *bones* of whose *ends* one is seen."""
    for bone in bones:
        if any(seen[bone[end]] for end in ends):
            start, end = xy[bone[0]], xy[bone[1]]
            for share in shares:
                x, y = start + (end - start) * share
                yield float(x), float(y)


def _cells(pixels: Pixels, place: Place, cell: int) -> NDArray[np.float64]:
    """Return the means of CELLS × CELLS cells of *cell* px about *place*; shape (cells, 3)."""
    height, width = pixels.shape[:2]
    side = CELLS * cell
    left, top = (round(middle - side / 2.0) for middle in place)
    if left < 0 or top < 0 or left + side > width or top + side > height:
        return np.full((CELLS * CELLS, 3), np.nan)
    patch = pixels[top : top + side, left : left + side].reshape(CELLS, cell, CELLS, cell, 3)
    means: NDArray[np.float64] = patch.mean(axis=(1, 3)).reshape(-1, 3) / 255.0
    return means


def _median(pixels: Pixels, places: Iterable[Place], half: float) -> Lab | None:
    """Return the median colour of the patches about *places*; a stripe or a highlight has no say."""
    height, width = pixels.shape[:2]
    patches = []
    for x, y in places:
        left, right = max(0, round(x - half)), min(width, round(x + half) + 1)
        top, bottom = max(0, round(y - half)), min(height, round(y + half) + 1)
        if left < right and top < bottom:
            patches.append(pixels[top:bottom, left:right].reshape(-1, 3))
    if not patches:
        return None
    found: Lab = np.median(lab(np.concatenate(patches)), axis=0)
    return found

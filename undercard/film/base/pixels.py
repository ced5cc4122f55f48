"""Pictures as the film's code passes them on, and how two become one."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""RGB, shape (height, width, 3). Frames that look alike may be one and the same array: never write into one."""
Direction: TypeAlias = Literal["left", "right", "up", "down"]
BLACK, WHITE = 0, 255
EDGE = 0.08
"""Width of a wipe's soft edge, as a share of the way that it goes."""


def mix(a: Pixels, b: Pixels, t: float) -> Pixels:
    """Return the picture *t* of the way from *a* to *b*; 0 is *a*, 1 is *b*.

    Mixed in the encoded values, as ffmpeg's `xfade=fade` and a mixing desk do: in linear light the brighter picture
    would take over long before the middle.
    """
    return _mixed(a, b, np.float32(t))


def filled(like: Pixels, grey: int) -> Pixels:
    """Return a picture of one *grey*, as large as *like*."""
    return np.full_like(like, grey)


def wiped(leaving: Pixels, coming: Pixels, t: float, toward: Direction) -> Pixels:
    """Return *leaving* with *coming* uncovered behind a soft edge that has gone *t* of its way *toward* a side.

    At 0 the edge is just outside, at 1 it is wholly through.
    """
    coming_first = _rightward(coming, toward)
    length = coming_first.shape[1]
    along = (np.arange(length, dtype=np.float32) + 0.5) / length
    # 1 behind the edge, 0 before it, and a ramp as wide as the edge between.
    uncovered = np.clip((np.float32(t * (1 + EDGE)) - along) / np.float32(EDGE), 0, 1)
    return _back(_mixed(_rightward(leaving, toward), coming_first, uncovered[None, :, None]), toward)


def panned(leaving: Pixels, coming: Pixels, opened: float, closed: float, toward: Direction) -> Pixels:
    """Return what a camera that turns from *leaving* to *coming* sees while its shutter is open.

    Args:
        leaving: where it comes from.
        coming: what lies beside that, on the side *toward* which it turns.
        opened: how far it has turned when the shutter opens: 0 is *leaving*, 1 *coming*.
        closed: how far when it closes.
        toward: the side that it turns to.
    """
    strip = np.concatenate([_rightward(leaving, toward), _rightward(coming, toward)], axis=1)
    width = strip.shape[1] // 2
    # A shutter that closes within a pixel's way still sees that pixel whole.
    smear = max(1.0, (closed - opened) * width)
    start = min(max(0.0, opened * width), width + 1 - smear)
    # The mean over a stretch is the difference of two running sums, which are taken between pixels, too.
    sums = np.zeros((strip.shape[0], strip.shape[1] + 1, 3))
    np.cumsum(strip, axis=1, out=sums[:, 1:])
    seen = (_sum_at(sums, start + smear, width) - _sum_at(sums, start, width)) / smear
    return _back(np.clip(np.rint(seen), 0, 255).astype(np.uint8), toward)


def _sum_at(sums: NDArray[np.float64], offset: float, count: int) -> NDArray[np.float64]:
    """Return the running sums up to *offset*, *offset* + 1 … px: *count* of them."""
    whole = min(int(offset), sums.shape[1] - 1 - count)
    part = offset - whole
    before, after = sums[:, whole : whole + count], sums[:, whole + 1 : whole + 1 + count]
    return np.asarray(before * (1 - part) + after * part)


def _mixed(a: Pixels, b: Pixels, t: np.float32 | NDArray[np.float32]) -> Pixels:
    blend = a.astype(np.float32)
    blend += (b.astype(np.float32) - blend) * t
    return np.rint(blend).astype(np.uint8)


def _rightward(picture: Pixels, toward: Direction) -> Pixels:
    """Return *picture* turned so that *toward* is to the right."""
    if toward in ("up", "down"):
        picture = picture.swapaxes(0, 1)
    return picture[:, ::-1] if toward in ("left", "up") else picture


def _back(picture: Pixels, toward: Direction) -> Pixels:
    """Undo `_rightward`."""
    if toward in ("left", "up"):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture.swapaxes(0, 1) if toward in ("up", "down") else picture)

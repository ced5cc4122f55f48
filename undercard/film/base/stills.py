"""Stills: reading a keyframe's picture and fitting it to the film's frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from undercard.domain.requests import Size
from undercard.errors import UnreadableImage
from undercard.film.base.pixels import Pixels


def open_still(path: Path) -> Image.Image:
    """Return the picture at *path* in RGB.

    Raises:
        UnreadableImage: it is missing, cut short or no picture.
    """
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as exc:
        raise UnreadableImage(f"{path} cannot be decoded: {exc}; render the shot again") from exc


Place: TypeAlias = tuple[float, float]
"""Where a window lies in a picture: (0, 0) in its top left corner, (1, 1) in its bottom right one."""


def fitted(picture: Image.Image, size: Size, magnification: float = 1.0, place: Place = (0.5, 0.5)) -> Pixels:
    """Return *picture* cropped at *place* to the shape of *size* and scaled to it.

    The window's edges are fractions of a pixel, and the filter samples there: a slow move glides instead of
    stepping from pixel to pixel.
    """
    scale = min(picture.width / size[0], picture.height / size[1]) / magnification
    width, height = size[0] * scale, size[1] * scale
    left, top = (picture.width - width) * place[0], (picture.height - height) * place[1]
    # Rounding may leave an edge a hair outside, which Pillow refuses.
    box = (
        max(0.0, left),
        max(0.0, top),
        min(float(picture.width), left + width),
        min(float(picture.height), top + height),
    )
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC, box=box))


def opener() -> Callable[[Path], Image.Image]:
    """Return an `open_still` that keeps the picture that it read last: stills show one after the other."""
    return lru_cache(maxsize=1)(open_still)


def fitted_opener(size: Size) -> Callable[[Path], Pixels]:
    """Return a function that reads a still fitted to *size* and keeps two: the one that shows and the next."""

    @lru_cache(maxsize=2)
    def opened(path: Path) -> Pixels:
        return fitted(open_still(path), size)

    return opened

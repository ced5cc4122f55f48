"""Frames whose number can be read back from their grey, and films decoded again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from PIL import Image

from undercard.domain.requests import Size
from undercard.film.base.pixels import Pixels

SIZE: Size = (64, 48)


def grey(level: int, size: Size = SIZE) -> Pixels:
    return np.full((size[1], size[0], 3), level, np.uint8)


def numbered(start: int, stop: int, size: Size = SIZE) -> Iterator[Pixels]:
    """Frame n is grey of level n + 20."""
    return (grey(number + 20, size) for number in range(start, stop))


def level(pixels: Pixels) -> int:
    """The one grey of a picture, give or take what the encoding costs."""
    return round(float(pixels.mean()))


def decoded(path: Path) -> list[Pixels]:
    with av.open(str(path)) as film:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in film.decode(video=0)]


def stamps(path: Path) -> list[int]:
    """When each frame shows, on the film's own clock."""
    with av.open(str(path)) as film:
        return [frame.pts for frame in film.decode(video=0) if frame.pts is not None]


def saved(path: Path, pixels: Pixels) -> Path:
    Image.fromarray(pixels).save(path)
    return path

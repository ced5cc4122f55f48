"""Pictures that the checks look at: decoded once, and what is made of one remembered beside the next."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from undercard.errors import UnreadableImage

Pixels: TypeAlias = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""
Grey: TypeAlias = NDArray[np.uint8]
"""Luma (ITU-R BT.601), shape (height, width)."""
Channels: TypeAlias = tuple[Image.Image, Image.Image, Image.Image]
"""Red, green and blue."""
Source: TypeAlias = Pixels | Path
"""A picture, or the file to decode it from."""
Picture: TypeAlias = Pixels | Image.Image
T = TypeVar("T")
THUMBNAIL_WIDTH = 256
"""Pixels, at least, where the picture has as many."""
KEPT_PICTURES = 12
"""Decoded ones: a keyframe is looked at again beside the next, and the fighters' pictures beside every one."""


def decoded(source: Source) -> Pixels:
    """Return *source* as RGB pixels.

    Raises:
        UnreadableImage: its file cannot be decoded.
    """
    if not isinstance(source, Path):
        return source
    try:
        found = source.stat()
        return _read(source, found.st_mtime_ns, found.st_ino)
    except OSError as exc:
        raise _unreadable(source, exc) from exc


# As in the store: while its inode and time stand, so do its bytes.
@lru_cache(maxsize=KEPT_PICTURES)
def _read(path: Path, modified_ns: int, inode: int) -> Pixels:
    with opened(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    pixels.flags.writeable = False
    return pixels


def opened(path: Path) -> Image.Image:
    """Return the picture of *path*, of which nothing is decoded yet.

    Raises:
        UnreadableImage: it is none.
    """
    try:
        return Image.open(path)
    except (UnidentifiedImageError, OSError) as exc:
        raise _unreadable(path, exc) from exc


def _unreadable(path: Path, error: Exception) -> UnreadableImage:
    return UnreadableImage(f"{path} cannot be read as a picture: {error}; make it again")


class _Same:
    """Pictures of which the very same are meant: to compare pixels would take as long as a check."""

    def __init__(self, pictures: tuple[Picture, ...]) -> None:
        self.pictures = pictures

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and all(map(operator.is_, self.pictures, other.pictures))

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.pictures)))


def remembered(many: int) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Keep what a function of pictures returned for the last *many*: most are looked at beside several others.

    Only of what nobody writes to, such as pixels that were decoded from a file.
    """

    def decorated(function: Callable[..., T]) -> Callable[..., T]:
        kept = lru_cache(maxsize=many)(lambda same: function(*same.pictures))

        @wraps(function)
        def called(*pictures: Picture) -> T:
            changing = any(isinstance(each, np.ndarray) and each.flags.writeable for each in pictures)
            return function(*pictures) if changing else kept(_Same(pictures))

        return called

    return decorated


@remembered(KEPT_PICTURES)
def thumbnail(pixels: Pixels) -> Image.Image:
    """Return a small picture of *pixels*: RGB, 256 to 511 px wide, or as wide as they are if that is less."""
    return Image.fromarray(pixels).reduce(max(1, pixels.shape[1] // THUMBNAIL_WIDTH))


@remembered(KEPT_PICTURES)
def luma(pixels: Pixels) -> Grey:
    """Return the luma of *pixels*, which is not the picture that is judged: that has its own."""
    return np.asarray(Image.fromarray(pixels).convert("L"))

"""A layer: lettering and shapes on nothing, to be laid over frames."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

from undercard.film.pixels import Pixels
from undercard.requests import Size

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, px."""
SUPERSAMPLED = 4
"""Rectangles are drawn so many times larger, so that an edge between pixels lies between pixels."""


class Layer:
    """A picture of the film's size, transparent until something is painted on it.

    Kept premultiplied (Porter and Duff, SIGGRAPH 1984): an edge of white lettering on nothing has no dark seam.
    """

    def __init__(self, size: Size) -> None:
        self.size = size
        self._colour = np.zeros((size[1], size[0], 3), np.float32)
        self._cover = np.zeros((size[1], size[0], 1), np.float32)
        self._touched: tuple[slice, slice] | None = None

    def paint(self, mask: Image.Image, colour: str, opacity: float = 1.0) -> None:
        """Paint *colour* (`#rrggbb`) where *mask*, a grey picture of the layer's size, is white."""
        cover = np.asarray(mask, np.float32)[..., None] * np.float32(opacity / 255)
        self._colour = cover * np.array(ImageColor.getrgb(colour), np.float32) + self._colour * (1 - cover)
        self._cover = cover + self._cover * (1 - cover)
        self._touched = None

    def letter(self, draw: Callable[[Image.Image], None], colour: str, opacity: float = 1.0) -> None:
        """Paint *colour* where *draw* draws white into a mask."""
        mask = Image.new("L", self.size)
        draw(mask)
        self.paint(mask, colour, opacity)

    def box(self, box: Box, colour: str, opacity: float = 1.0) -> None:
        """Paint a rectangle; its edges may lie between pixels."""
        large = Image.new("L", (self.size[0] * SUPERSAMPLED, self.size[1] * SUPERSAMPLED))
        left, top, right, bottom = (round(edge * SUPERSAMPLED) for edge in box)
        ImageDraw.Draw(large).rectangle((left, top, right - 1, bottom - 1), fill=255)
        self.paint(large.reduce(SUPERSAMPLED), colour, opacity)

    def over(self, frame: Pixels, strength: float = 1.0, shown: NDArray[np.float32] | None = None) -> Pixels:
        """Return *frame* with the layer over it.

        Args:
            frame: of the layer's size.
            strength: 0 is not there, 1 is as painted.
            shown: how much of each column shows, shape (width,), 0…1; all of it unless told.
        """
        where = self._where()
        laid = frame.copy()
        part = np.float32(strength) if shown is None else np.float32(strength) * shown[None, where[1], None]
        under = frame[where].astype(np.float32)
        laid[where] = np.rint(self._colour[where] * part + under * (1 - self._cover[where] * part)).astype(np.uint8)
        return laid

    @property
    def columns(self) -> tuple[int, int]:
        """The first column that has anything on it, and the one after the last."""
        where = self._where()[1]
        return where.start, where.stop

    def _where(self) -> tuple[slice, slice]:
        """Return the rows and columns that have anything on them."""
        if self._touched is None:
            covered = self._cover[..., 0] > 0
            rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
            self._touched = _span(rows), _span(columns)
        return self._touched


def _span(indices: NDArray[np.intp]) -> slice:
    return slice(int(indices[0]), int(indices[-1]) + 1) if indices.size else slice(0, 0)

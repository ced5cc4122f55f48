"""A layer: lettering and shapes on nothing, to be laid over frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from undercard.domain.requests import Size
from undercard.film.base.pixels import Pixels

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, px."""
Where: TypeAlias = tuple[slice, slice]
"""Rows and columns of a picture."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a layer has on it, and where: no more than that is kept."""

    where: Where
    colour: NDArray[np.float32]
    """Premultiplied, shape (rows, columns, 3), 0…255."""
    cover: NDArray[np.float32]
    """How much of the picture it hides, shape (rows, columns, 1), 0…1."""

    @property
    def columns(self) -> tuple[int, int]:
        """The first column that has anything on it, and the one after the last."""
        return self.where[1].start, self.where[1].stop

    def over(self, frame: Pixels, strength: float = 1.0, shown: NDArray[np.float32] | None = None) -> Pixels:
        """Return *frame* with the overlay over it.

        Args:
            frame: of the layer's size.
            strength: 0 is not there, 1 is as painted.
            shown: how much of each of its columns shows, 0…1; all of it unless told.
        """
        laid = frame.copy()
        part = np.float32(strength) if shown is None else np.float32(strength) * shown[None, :, None]
        under = frame[self.where].astype(np.float32)
        laid[self.where] = np.rint(self.colour * part + under * (1 - self.cover * part)).astype(np.uint8)
        return laid


class Layer:
    """A picture of the film's size, transparent until something is painted on it.

    Kept premultiplied (Porter and Duff, SIGGRAPH 1984): an edge of white lettering on nothing has no dark seam.
    """

    def __init__(self, size: Size) -> None:
        self.size = size
        self._colour = np.zeros((size[1], size[0], 3), np.float32)
        self._cover = np.zeros((size[1], size[0], 1), np.float32)

    def letter(self, draw: Callable[[Image.Image], None], colour: str, opacity: float = 1.0) -> None:
        """Paint *colour* (`#rrggbb`) where *draw* draws white into a grey picture of the layer's size."""
        mask = Image.new("L", self.size)
        draw(mask)
        box = mask.getbbox()
        if box is not None:
            where = slice(box[1], box[3]), slice(box[0], box[2])
            self._paint(where, np.asarray(mask.crop(box), np.float32) / np.float32(255), colour, opacity)

    def box(self, box: Box, colour: str, opacity: float = 1.0) -> None:
        """Paint a rectangle; its edges may lie between pixels, which they then cover in part."""
        left, top, right, bottom = box
        columns, rows = _covered(left, right, self.size[0]), _covered(top, bottom, self.size[1])
        self._paint((slice(None), slice(None)), rows[:, None] * columns[None, :], colour, opacity)

    def cut_out(self) -> Overlay:
        """Return what has been painted."""
        covered = self._cover[..., 0] > 0
        where = _span(np.flatnonzero(covered.any(axis=1))), _span(np.flatnonzero(covered.any(axis=0)))
        return Overlay(where, self._colour[where].copy(), self._cover[where].copy())

    def _paint(self, where: Where, mask: NDArray[np.float32], colour: str, opacity: float) -> None:
        cover = mask[..., None] * np.float32(opacity)
        for kept, paint in ((self._colour, np.array(ImageColor.getrgb(colour), np.float32)), (self._cover, 1)):
            kept[where] = cover * paint + kept[where] * (1 - cover)


def _covered(start: float, stop: float, length: int) -> NDArray[np.float32]:
    """Return how much of each of *length* pixels lies between *start* and *stop*, 0…1."""
    edges = np.arange(length)
    return np.asarray(np.clip(np.minimum(edges + 1, stop) - np.maximum(edges, start), 0, 1), np.float32)


def _span(indices: NDArray[np.intp]) -> slice:
    return slice(int(indices[0]), int(indices[-1]) + 1) if indices.size else slice(0, 0)

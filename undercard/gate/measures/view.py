"""The part of a picture about a fighter, made so small that he is always about as tall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from undercard.gate.pictures import Pixels
from undercard.gate.vision.adherence import Target
from undercard.gate.vision.comparison import LARGEST
from undercard.gate.vision.networks import Floats

TALL = 112
"""Height of the fighter, px: a glove is 9."""
ROOM = 0.3
"""Heights round about his joints in which a limb of his may be."""
LEAST_SIDE = 8


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of a picture."""

    left: float
    top: float
    right: float
    bottom: float
    """Pixels of the picture."""
    scale: float
    """Pixels of the picture to one of the view."""
    tall: float
    """The fighter's height, px of the view."""

    def shown(self, pixels: Pixels) -> Pixels:
        """Return it of *pixels*, the picture itself or one of the same size."""
        width, height = self.right - self.left, self.bottom - self.top
        size = max(LEAST_SIDE, round(width / self.scale)), max(LEAST_SIDE, round(height / self.scale))
        box = (self.left, self.top, self.right, self.bottom)
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX, box=box))

    def at(self, xy: Floats) -> Floats:
        """Return where places of the picture, px, shape (n, 2), are in the view."""
        return (xy - np.array([self.left, self.top], np.float32)) / np.float32(self.scale)

    def odd(self, heights: float) -> int:
        """Return how many px *heights* of the fighter are, an odd number, so that a square of them has a middle."""
        return max(3, int(heights * self.tall)) | 1


def view_of(target: Target, pixels: Pixels) -> View:
    """Return the view of *target*, some of whose joints are in *pixels*."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = target.box
    tall = max(1.0, min(target.height, LARGEST * max(right - left, bottom - top)))
    room, scale = ROOM * tall, max(1.0, tall / TALL)
    return View(
        left=max(0.0, left - room),
        top=max(0.0, top - room),
        right=min(float(width), right + room),
        bottom=min(float(height), bottom + room),
        scale=scale,
        tall=tall / scale,
    )

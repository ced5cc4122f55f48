"""The small round things of a contact sheet, with smooth edges: dots, and the holes of the film."""

from __future__ import annotations

from functools import cache

from PIL import Image, ImageDraw

from undercard.domain.requests import Size


@cache
def dot_stamp(diameter: int, colour: str) -> Image.Image:
    """Return a dot of *diameter* px."""
    # Pillow draws hard edges: drawn large and shrunk they come out smooth.
    large = Image.new("L", (diameter * 8, diameter * 8))
    ImageDraw.Draw(large).ellipse((0, 0, diameter * 8 - 1, diameter * 8 - 1), 255)
    return _coloured(large.resize((diameter, diameter), Image.Resampling.BOX), colour)


@cache
def hole_stamp(size: Size) -> Image.Image:
    """Return a hole of a strip of film, *size* px."""
    large = Image.new("L", (size[0] * 8, size[1] * 8))
    ImageDraw.Draw(large).rounded_rectangle((0, 0, large.width - 1, large.height - 1), size[1] * 2.4, 255)
    return _coloured(large.resize(size, Image.Resampling.BOX), "#2a2c31")


def _coloured(mask: Image.Image, colour: str) -> Image.Image:
    stamp = Image.new("RGBA", mask.size, colour)
    stamp.putalpha(mask)
    return stamp

"""What is printed on the ring: the canvas with its mark and scuffs, the lettering of the skirt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from undercard.previz.ring import PLATFORM_HALF

Bytes: TypeAlias = NDArray[np.uint8]

CANVAS_PX = 2048
SKIRT_PX = (2048, 344)

_CLOTH = (122, 128, 139)
_NAVY = (22, 34, 84)
_RED = (150, 22, 24)
_BLUE = (24, 52, 150)


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A picture in ever smaller copies, so that far surfaces do not shimmer (mip-mapping, Williams 1983)."""

    texels: Bytes
    """Every level's pixels one after another, shape (n, 3), sRGB."""
    starts: NDArray[np.int32]
    """Where each level begins, and its width and height: shape (levels, 3)."""


@lru_cache(maxsize=1)
def canvas() -> Pyramid:
    """Return the canvas from above, ±PLATFORM_HALF metres, +z at the bottom; drawn once."""
    side = CANVAS_PX
    metre = side / (2 * PLATFORM_HALF)
    middle = side / 2
    picture = Image.new("RGB", (side, side), _CLOTH)
    draw = ImageDraw.Draw(picture)
    for radius, width, colour in ((1.12, 0.075, _NAVY), (1.00, 0.018, _NAVY)):
        box = [middle - radius * metre, middle - radius * metre, middle + radius * metre, middle + radius * metre]
        draw.ellipse(box, outline=colour, width=int(width * metre))
    _wordmark(picture, (middle, middle), 0.30 * metre, _NAVY)
    reach = 1.0 * metre
    inset = 0.56 * metre
    draw.polygon([(inset, side - inset), (inset + reach, side - inset), (inset, side - inset - reach)], fill=_RED)
    draw.polygon([(side - inset, inset), (side - inset - reach, inset), (side - inset, inset + reach)], fill=_BLUE)
    # The apron outside the ropes is a band of its own colour.
    band = int(0.36 * metre)
    draw.rectangle([0, 0, side - 1, side - 1], outline=_NAVY, width=band)
    draw.rectangle([band, band, side - 1 - band, side - 1 - band], outline=_RED, width=int(0.05 * metre))
    return _pyramid(_scuffed(picture, metre))


@lru_cache(maxsize=1)
def skirt() -> Pyramid:
    """Return one side of the skirt: lettering on dark cloth; drawn once."""
    width, height = SKIRT_PX
    picture = Image.new("RGB", SKIRT_PX, (14, 17, 34))
    draw = ImageDraw.Draw(picture)
    draw.rectangle([0, int(height * 0.90), width, int(height * 0.93)], fill=(120, 18, 20))
    _wordmark(picture, (width / 2, height * 0.48), height * 0.42, (196, 200, 210))
    for side in (0.14, 0.86):
        _wordmark(picture, (width * side, height * 0.50), height * 0.20, (110, 116, 134))
    return _pyramid(picture)


def _wordmark(picture: Image.Image, centre: tuple[float, float], height: float, colour: tuple[int, int, int]) -> None:
    font = ImageFont.load_default(size=height)
    draw = ImageDraw.Draw(picture)
    stroke = max(1, int(height * 0.045))
    draw.text(centre, "UNDERCARD", fill=colour, font=font, anchor="mm", stroke_width=stroke, stroke_fill=colour)


def _scuffed(picture: Image.Image, metre: float) -> Image.Image:
    """Return *picture* worn: soles' arcs, faint stains, the cloth's mottling."""
    rng = np.random.default_rng(1892)  # the year of the first gloved championship
    side = picture.width
    marks = Image.new("L", picture.size, 0)
    draw = ImageDraw.Draw(marks)
    for _ in range(420):
        x, y = np.clip(rng.normal(0.5, 0.17, 2), 0.1, 0.9) * side
        size = rng.uniform(0.04, 0.22) * metre
        start = rng.uniform(0, 360)
        box = [x - size, y - size, x + size, y + size]
        strength, width = int(rng.integers(20, 90)), int(rng.integers(1, 5))
        draw.arc(box, start, start + rng.uniform(15, 70), fill=strength, width=width)
    for _ in range(26):
        x, y = np.clip(rng.normal(0.5, 0.2, 2), 0.1, 0.9) * side
        size = rng.uniform(0.02, 0.09) * metre
        draw.ellipse([x - size, y - size * 0.8, x + size, y + size * 0.8], fill=int(rng.integers(14, 40)))
    marks = marks.filter(ImageFilter.GaussianBlur(1.6))
    mottle = Image.fromarray(rng.integers(110, 255, (48, 48), dtype=np.uint8))
    mottle = mottle.resize(picture.size, Image.Resampling.BICUBIC).point(lambda grey: 226 + grey // 9)
    # In bytes all along: in floats this picture alone would take 50 MB a copy.
    cloth = ImageChops.multiply(picture, Image.merge("RGB", (mottle, mottle, mottle)))
    return Image.composite(Image.new("RGB", picture.size, (48, 48, 50)), cloth, marks)


def _pyramid(picture: Image.Image) -> Pyramid:
    levels = [np.asarray(picture)]
    while min(picture.size) > 8:
        picture = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BOX)
        levels.append(np.asarray(picture))
    counts = np.cumsum([0, *(level.shape[0] * level.shape[1] for level in levels)])
    starts = [(int(start), level.shape[1], level.shape[0]) for start, level in zip(counts[:-1], levels, strict=True)]
    return Pyramid(
        np.concatenate([level.reshape(-1, 3) for level in levels]),
        np.array(starts, np.int32),
    )

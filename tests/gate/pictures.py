"""A drawn ring with two fighters: dark hall, bright canvas, thin ropes; every pixel is generated."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from undercard.domain.requests import Size
from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.judging import judge
from undercard.gate.pictures import Pixels

SIZE = (512, 288)
OVERSAMPLING = 3


def keyframe(reach: float = 0.5, size: Size = SIZE) -> Pixels:
    """Draw a red fighter whose glove is *reach* of the way to the blue one."""
    width, height = size[0] * OVERSAMPLING, size[1] * OVERSAMPLING
    image = Image.fromarray(_hall(width, height))
    draw = ImageDraw.Draw(image)
    for row, colour in enumerate(((40, 60, 170), (170, 170, 170), (170, 40, 40))):
        y = height * (40 + 9 * row) // 100
        draw.line((0, y, width, y - height // 40), fill=colour, width=max(1, height // 140))
    for x, skin, trunks in ((0.35, (150, 110, 90), (190, 30, 30)), (0.68, (90, 60, 45), (30, 50, 190))):
        _fighter(draw, x * width, height, skin, trunks)
    fist = (0.38 + 0.26 * reach) * width
    draw.line((0.36 * width, 0.36 * height, fist, 0.34 * height), fill=(150, 110, 90), width=height // 24)
    radius = height / 22
    draw.ellipse((fist - radius, 0.34 * height - radius, fist + radius, 0.34 * height + radius), (210, 25, 25))
    grain = np.random.default_rng(7).normal(0.0, 1.5, (size[1], size[0], 1))
    small = np.asarray(image.resize(size, Image.Resampling.BOX)).astype(np.float64) + grain
    return np.clip(small, 0, 255).astype(np.uint8)


def blurred(pixels: Pixels, radius: float) -> Pixels:
    """Blur all of it."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def exposed(pixels: Pixels, gain: float, offset: float = 0.0) -> Pixels:
    """Multiply, shift and cut off, as an exposure does."""
    stretched: Pixels = np.clip(pixels * gain + offset, 0, 255).astype(np.uint8)
    return stretched


def as_jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Save as JPEG and read back."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _hall(width: int, height: int) -> Pixels:
    """Draw the dark hall above, the lit canvas below."""
    y = np.linspace(0.0, 1.0, height)[:, None, None]
    hall = np.array([6.0, 6.0, 9.0]) * (1.0 + y)
    canvas = np.array([150.0, 155.0, 165.0]) * (0.6 + 0.4 * y)
    return np.broadcast_to(np.where(y < 0.75, hall, canvas), (height, width, 3)).astype(np.uint8)


def _fighter(
    draw: ImageDraw.ImageDraw, x: float, height: float, skin: tuple[int, int, int], trunks: tuple[int, int, int]
) -> None:
    unit = height / 100
    draw.ellipse((x - 4 * unit, 20 * unit, x + 4 * unit, 31 * unit), fill=skin)
    draw.rounded_rectangle((x - 8 * unit, 31 * unit, x + 8 * unit, 56 * unit), 4 * unit, fill=skin)
    draw.rectangle((x - 9 * unit, 55 * unit, x + 9 * unit, 70 * unit), fill=trunks)
    draw.rectangle((x - 9 * unit, 54 * unit, x + 9 * unit, 57 * unit), fill=(200, 200, 195))
    for side in (-6, 3):
        draw.rectangle((x + side * unit, 70 * unit, x + (side + 4) * unit, 92 * unit), fill=skin)


def finding_of(check: str, evidence: Evidence) -> Finding:
    """Return what *check* says of a picture beside all the others, to some of which it yields."""
    return next(finding for finding in judge(evidence).findings if finding.check == check)

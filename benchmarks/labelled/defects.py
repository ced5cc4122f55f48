"""Defects of the picture itself, each at three strengths: what is done to a good picture so that it is no good.

Each takes the pixels, a strength (0 mild, 1 moderate, 2 severe) and a source of chance, and returns new pixels.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageFilter

from undercard.gate.pictures import Pixels

Defect: TypeAlias = Callable[[Pixels, int, np.random.Generator], Pixels]

GRID = 16
"""Pixels: where tiles of a latent decoder begin and end."""


def blank(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return one colour, with grain where it is mild."""
    grain = rng.normal(0.0, (2.0, 1.0, 0.0)[strength], pixels.shape)
    return _rounded(np.full(pixels.shape, rng.choice([0, 0, 128, 255])) + grain)


def dead_tile(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return *pixels* with a tile of NaN, as it looks once it is 8 bits: black as a rule; 1/8 to 1/2 of the width."""
    height, width = pixels.shape[:2]
    side = max(64, round(width * (0.125, 0.25, 0.5)[strength] / GRID) * GRID)
    side = min(side, height // GRID * GRID)
    places = [
        (
            int(rng.integers(0, (width - side) // GRID + 1)) * GRID,
            int(rng.integers(0, (height - side) // GRID + 1)) * GRID,
        )
        for _ in range(8)
    ]
    # Of some places the one that hides most: nobody misses a tile of a black hall.
    left, top = max(places, key=lambda at: float(pixels[at[1] : at[1] + side, at[0] : at[0] + side].std()))
    tiled = pixels.copy()
    tiled[top : top + side, left : left + side] = rng.choice([0, 0, 0, 128, 255])
    return tiled


def blur(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return *pixels* blurred by 1, 2 or 4 px."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur((1.0, 2.0, 4.0)[strength])))


def noise(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return *pixels* with noise of 8, 16 or 32 levels, of every channel by itself or of all alike."""
    channels = 3 if rng.random() < 0.5 else 1
    return _rounded(pixels + rng.normal(0.0, (8.0, 16.0, 32.0)[strength], (*pixels.shape[:2], channels)))


def seam(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return *pixels* in strips that differ in level by 3, 6 or 12, as from a decoder whose tiles do not overlap."""
    upright = rng.random() < 0.5
    length = pixels.shape[1] if upright else pixels.shape[0]
    at = int(rng.integers(length // 4 // 8, length * 3 // 4 // 8)) * 8
    step = (3.0, 6.0, 12.0)[strength] * rng.choice([-1.0, 1.0])
    shifted = pixels.astype(np.float32)
    part = (slice(None), slice(at, None)) if upright else (slice(at, None),)
    shifted[part] += step
    return _rounded(shifted)


def burn(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return *pixels* exposed until 8, 15 or 30 % of them are pure white."""
    end = np.percentile(pixels.min(axis=2), 100.0 - (8.0, 15.0, 30.0)[strength])
    return _rounded(pixels * (256.0 / max(float(end), 1.0)))


def crush(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return *pixels* with the black point raised until 40, 55 or 75 % of them are pure black."""
    start = float(np.percentile(pixels.max(axis=2), (40.0, 55.0, 75.0)[strength])) + 0.5
    return _rounded((pixels - start) * 255.0 / max(255.0 - start, 1.0))


def band(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return *pixels* in steps of 6, 12 or 24 levels."""
    step = (6, 12, 24)[strength]
    return _rounded(pixels // step * step + step // 2)


def cast(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return *pixels* under light of another colour: one channel up and another down by 10, 20 or 40 %."""
    share = (0.1, 0.2, 0.4)[strength]
    gains = np.ones(3)
    up, down = rng.permutation(3)[:2]
    gains[up], gains[down] = 1.0 + share, 1.0 - share
    return _rounded(pixels * gains)


def exposure(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return *pixels* a third of a stop, two thirds or a whole and a third brighter or darker."""
    stops = (1 / 3, 2 / 3, 4 / 3)[strength] * rng.choice([-1.0, 1.0])
    return _rounded(255.0 * np.minimum((pixels / 255.0) ** 2.2 * 2.0**stops, 1.0) ** (1 / 2.2))


def zoom(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return the middle of *pixels* enlarged by 6, 12 or 25 %."""
    height, width = pixels.shape[:2]
    share = 1.0 / (1.06, 1.12, 1.25)[strength]
    left, top = width * (1.0 - share) / 2.0, height * (1.0 - share) / 2.0
    box = (left, top, width - left, height - top)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC, box=box))


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Return *pixels* saved as JPEG and read back; down to quality 75 that is no defect."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def blocks(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return *pixels* saved as JPEG of quality 30, 20 or 10, and cropped, so that its blocks begin anywhere."""
    down, right = rng.integers(0, 8, 2)
    height, width = pixels.shape[:2]
    larger = np.pad(pixels, ((down, 0), (right, 0), (0, 0)), mode="edge")
    return jpeg(larger, (30, 20, 10)[strength])[down : down + height, right : right + width]


def copied(pixels: Pixels, strength: int, rng: np.random.Generator) -> Pixels:
    """Return *pixels* with little changed: brighter and grainier where it is mild, saved as JPEG, or not at all."""
    if strength == 2:
        return pixels.copy()
    if strength == 1:
        return jpeg(pixels, 92)
    return _rounded(pixels + 3.0 + rng.normal(0.0, 1.5, (*pixels.shape[:2], 1)))


DEFECTS: Mapping[str, Defect] = {
    "blank": blank, "dead tile": dead_tile, "blur": blur, "noise": noise, "seam": seam, "burn": burn, "crush": crush,
    "band": band, "jpeg": blocks, "cast": cast,
}  # fmt: skip
"""Those that need nothing but the picture."""


def _rounded(levels: np.ndarray) -> Pixels:
    rounded: Pixels = np.round(np.clip(levels, 0, 255)).astype(np.uint8)
    return rounded

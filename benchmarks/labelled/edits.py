"""A stand-in for an image model's edit of a previz frame: the same scene in other tones, light and texture.

It keeps what an edit should keep (who stands where, and how) and changes what an edit changes everywhere: the curve
of tones, the fall of light over the picture, the texture of surfaces. It is no model's picture, and thresholds that
depend on how a model draws are to be fitted again on its own (`undercard gate --calibrate`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undercard.gate.pictures import Pixels


@dataclass(frozen=True, slots=True)
class Grade:
    """How the pictures of one shot look."""

    gamma: float
    contrast: float
    saturation: float
    relight: float
    """How far the light over the picture is changed, as a share."""
    texture: float
    """Standard deviation of what surfaces gain in detail, as a share of their level."""


def grade(rng: np.random.Generator) -> Grade:
    """Return a grade as models differ from their control images."""
    return Grade(
        gamma=rng.uniform(0.88, 1.12),
        contrast=rng.uniform(0.15, 0.55),
        saturation=rng.uniform(0.9, 1.2),
        relight=rng.uniform(0.06, 0.12),
        texture=rng.uniform(0.02, 0.04),
    )


def redrawn(pixels: Pixels, look: Grade, rng: np.random.Generator) -> Pixels:
    """Return *pixels* edited after *look*; two takes of one picture differ by *rng* as two seeds do."""
    height, width = pixels.shape[:2]
    light = (pixels.astype(np.float32) / 255.0) ** look.gamma
    # Part of the way to a smoothstep, which deepens shades and lifts lights.
    light += look.contrast * (light * light * (3.0 - 2.0 * light) - light)
    grey = light @ np.array([0.299, 0.587, 0.114], np.float32)
    light = grey[:, :, None] + look.saturation * (light - grey[:, :, None])
    gain = 1.0 + look.relight * _clouds(rng, (height, width), 6) + look.texture * _clouds(rng, (height, width), 240)
    levels = _rolled_off((light * gain[:, :, None]).astype(np.float32)) * 255.0 + rng.normal(
        0.0, 0.8, (height, width, 1)
    )
    edited: Pixels = np.round(np.clip(levels, 0, 255)).astype(np.uint8)
    return edited


def _rolled_off(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bend *light* from 0.9 on so that it nears 1 and never gets there: no model burns what is not burnt."""
    bent: NDArray[np.float32] = np.where(light > 0.9, 1.0 - 0.1 * np.exp(-(light - 0.9) / 0.1), light)
    return bent


def _clouds(rng: np.random.Generator, shape: tuple[int, int], across: int) -> NDArray[np.float32]:
    """Return smooth noise, mean about 0 and deviation about 1, with *across* blobs across the picture."""
    height, width = shape
    small = rng.normal(0.0, 1.0, (max(2, round(across * height / width)), across)).astype(np.float32)
    small -= small.mean()
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)) * np.float32(1.2)

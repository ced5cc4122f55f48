"""From linear light to a picture: the lens's blur, the glow of what is bright, the film."""

from __future__ import annotations

import numpy as np

from undercard.previz import lens
from undercard.previz.mesh import Floats
from undercard.previz.picture import Shot

GLOW_STEP = 4


def expose(shot: Shot, light: Floats, depth: Floats, focus: float, lens_mm: float, f_number: float) -> np.ndarray:
    """Return the picture, uint8 (h, w, 3): depth of field where the lens has an aperture, then bloom and film."""
    height, width = depth.shape
    if f_number > 0.0:
        light = _defocused(shot, light, depth, focus, lens_mm, f_number)
    glow = _glow(shot, light)
    grade = shot.light
    numbers = np.array(
        [
            *(grade.exposure, grade.contrast, grade.saturation, grade.vignette, 0.55 * grade.bloom),
            *(*grade.tint, grade.grain),
        ],
        np.float32,
    )
    image = np.empty((height, width, 3), np.uint8)
    seed = shot.seed % 1_000_003
    curve = lens.transfer_curve()
    shot.bands.run(lambda rows: lens.develop(light, glow, GLOW_STEP, numbers, curve, seed, rows, image), height)
    return image


def _defocused(shot: Shot, light: Floats, depth: Floats, focus: float, lens_mm: float, f_number: float) -> Floats:
    height, width = depth.shape
    limit = width / 72.0
    sharp = np.empty((height, width, lens.SHARP_COLUMNS), np.float32)
    shot.bands.run(lambda rows: lens.confusion(light, depth, focus, lens_mm, f_number, limit, rows, sharp), height)
    steps, lengths = lens.spiral(limit)
    blurred, closed = np.empty_like(light), np.empty_like(light)
    shot.bands.run(lambda rows: lens.blur(sharp, steps, lengths, rows, blurred), height, 32)
    shot.bands.run(lambda rows: lens.close_gaps(blurred, sharp, rows, closed), height)
    return closed


def _glow(shot: Shot, light: Floats) -> Floats:
    height, width = -(-light.shape[0] // GLOW_STEP), -(-light.shape[1] // GLOW_STEP)
    source = np.empty((max(height, 2), max(width, 2), 3), np.float32)
    shot.bands.run(lambda rows: lens.glow_source(light, GLOW_STEP, rows, source), len(source))
    total = np.zeros_like(source)
    # A tight halo and a wide veil, as share of the picture's width.
    for share, sigma in ((0.65, width / 110.0), (0.35, width / 26.0)):
        weights = lens.gaussian(max(sigma, 0.6))
        both = _blurred(shot, source, weights)
        total += np.float32(share) * both
    return total


def _blurred(shot: Shot, source: Floats, weights: Floats) -> Floats:
    across, both = np.empty_like(source), np.empty_like(source)
    shot.bands.run(lambda rows: lens.spread(source, weights, True, rows, across), len(source))
    shot.bands.run(lambda rows: lens.spread(across, weights, False, rows, both), len(source))
    return both

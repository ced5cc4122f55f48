"""From linear light to a picture: depth of field, bloom, vignette, film curve, grain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undercard.previz.kernel import kernel
from undercard.previz.mesh import Floats
from undercard.previz.view import SENSOR_WIDTH_MM

BACKDROP_METRES = 14.0
"""Depth that the lens takes the arena to have; out there the blur hardly changes."""
TAPS = 56
"""Samples of the blur's disc."""


@kernel
def confusion(
    depth: Floats, focus: float, lens_mm: float, f_number: float, limit_px: float, rows: tuple[int, int], out: Floats
) -> None:
    """Fill *out* with the radius in px of each pixel's circle of confusion, negative in front of the focus.

    Thin lens: c = f² / N · |z − z₀| / (z · (z₀ − f)) on the sensor, 36 mm wide; half of it is the radius.
    """
    width = depth.shape[1]
    focal = lens_mm / 1000.0
    scale = 0.5 * focal * focal / f_number / max(focus - focal, 0.05) * width * 1000.0 / SENSOR_WIDTH_MM
    for y in range(rows[0], rows[1]):
        for x in range(width):
            z = min(depth[y, x], BACKDROP_METRES)
            radius = scale * (z - focus) / max(z, 0.05)
            out[y, x] = min(max(radius, -limit_px), limit_px)


@kernel
def blur(light: Floats, depth: Floats, radius: Floats, limit_px: float, rows: tuple[int, int], out: Floats) -> None:
    """Gather the circles of confusion that reach each pixel of the given rows.

    A fixed golden-angle spiral (Vogel 1979), so that nothing boils. A neighbour counts when its own circle reaches
    here, and, if it lies behind, no farther than this pixel's own blur, so that a sharp edge stays clean.
    """
    height, width = depth.shape
    golden = 2.399963229728653
    for y in range(rows[0], rows[1]):
        for x in range(width):
            own = abs(radius[y, x])
            total = 1.0
            r, g, b = light[y, x, 0], light[y, x, 1], light[y, x, 2]
            z = min(depth[y, x], BACKDROP_METRES)
            for tap in range(TAPS):
                away = limit_px * np.sqrt((tap + 0.5) / TAPS)
                turn = tap * golden
                q = min(max(int(np.floor(y + 0.5 + away * np.sin(turn))), 0), height - 1)
                p = min(max(int(np.floor(x + 0.5 + away * np.cos(turn))), 0), width - 1)
                theirs = abs(radius[q, p])
                if min(depth[q, p], BACKDROP_METRES) > z + 0.05:
                    theirs = min(theirs, own)
                weight = min(max(theirs - away + 1.0, 0.0), 1.0)
                if weight > 0.0:
                    # A wide circle spreads its light thin.
                    weight *= min(limit_px * limit_px / max(theirs * theirs, 1.0), 4.0) * 0.25
                    total += weight
                    r += weight * light[q, p, 0]
                    g += weight * light[q, p, 1]
                    b += weight * light[q, p, 2]
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = r / total, g / total, b / total


@kernel
def glow_source(light: Floats, step: int, rows: tuple[int, int], out: Floats) -> None:
    """Fill rows of *out* (h/step, w/step, 3) with the mean of what in *light* is brighter than white."""
    height, width = light.shape[0], light.shape[1]
    for y in range(rows[0], rows[1]):
        for x in range(out.shape[1]):
            for k in range(3):
                total = 0.0
                count = 0
                for j in range(y * step, min((y + 1) * step, height)):
                    for i in range(x * step, min((x + 1) * step, width)):
                        # Clamped: one glint must not light the hall.
                        total += min(max(light[j, i, k] - 0.7, 0.0), 4.0)
                        count += 1
                out[y, x, k] = total / max(count, 1)


@kernel
def spread(source: Floats, weights: Floats, along_rows: bool, rows: tuple[int, int], out: Floats) -> None:
    """Convolve the given rows of *source* (h, w, 3) with symmetric *weights* one way; the edge repeats."""
    height, width = source.shape[0], source.shape[1]
    for y in range(rows[0], rows[1]):
        for x in range(width):
            r = g = b = 0.0
            for tap in range(-len(weights) + 1, len(weights)):
                q = y if along_rows else min(max(y + tap, 0), height - 1)
                p = min(max(x + tap, 0), width - 1) if along_rows else x
                weight = weights[abs(tap)]
                r += weight * source[q, p, 0]
                g += weight * source[q, p, 1]
                b += weight * source[q, p, 2]
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = r, g, b


def gaussian(sigma: float) -> Floats:
    """Return the right half of a Gaussian, its middle first, summing to 1 with its mirror image."""
    half = np.exp(-0.5 * (np.arange(int(3 * sigma) + 1) / sigma) ** 2)
    weights: Floats = (half / (2 * half.sum() - half[0])).astype(np.float32)
    return weights


@kernel
def develop(
    light: Floats,
    glow: Floats,
    step: int,
    grade: Floats,
    seed: int,
    rows: tuple[int, int],
    image: NDArray[np.uint8],
) -> None:
    """Turn linear *light* (h, w, 3) plus its *glow* into sRGB bytes for the given rows.

    Arrays:
        glow: At 1/step resolution.
        grade: Exposure, contrast, saturation, vignette, bloom, tint's red, green and blue, grain.
        seed: Of the grain; the same seed gives the same grain.
    """
    height, width = light.shape[0], light.shape[1]
    colour = np.zeros(3, np.float64)
    for y in range(rows[0], rows[1]):
        for x in range(width):
            gx = min(max((x + 0.5) / step - 0.5, 0.0), glow.shape[1] - 1.001)
            gy = min(max((y + 0.5) / step - 0.5, 0.0), glow.shape[0] - 1.001)
            x0, y0 = int(gx), int(gy)
            fx, fy = gx - x0, gy - y0
            across, down = 2.0 * (x + 0.5) / width - 1.0, 2.0 * (y + 0.5) / height - 1.0
            # cos⁴ of a real lens, softened to what the eye takes for one.
            dark = 1.0 - grade[3] * min(0.5 * (across * across + 0.8 * down * down), 1.0) ** 1.5
            for k in range(3):
                near = glow[y0, x0, k] * (1 - fx) + glow[y0, x0 + 1, k] * fx
                far = glow[y0 + 1, x0, k] * (1 - fx) + glow[y0 + 1, x0 + 1, k] * fx
                value = light[y, x, k] + grade[4] * (near * (1 - fy) + far * fy)
                colour[k] = _filmic(max(value * grade[0] * dark * grade[5 + k], 0.0))
            luma = 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]
            noise = grade[8] * _grain(x, y, seed) * (0.35 + luma) * (1.15 - luma)
            for k in range(3):
                value = _encoded(luma + (colour[k] - luma) * grade[2])
                value = 0.42 + (value - 0.42) * grade[1] + noise
                image[y, x, k] = np.uint8(min(max(value, 0.0), 1.0) * 255.0 + 0.5)


@kernel
def _filmic(x: float) -> float:
    """Return the ACES film curve, 0…1 (fit by Narkowicz, "ACES Filmic Tone Mapping Curve", 2016)."""
    return min(max(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0.0), 1.0)


@kernel
def _encoded(value: float) -> float:
    """Return linear light in sRGB's transfer curve (IEC 61966-2-1)."""
    value = min(max(value, 0.0), 1.0)
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1.0 / 2.4) - 0.055


@kernel
def _grain(x: int, y: int, seed: int) -> float:
    """Return noise of mean 0, near-normal, by hashing the pixel: three uniform values added."""
    state = np.uint64(x * 1973 + y * 9277 + seed * 26699 + 1)
    total = 0.0
    for _ in range(3):
        # SplitMix64 (Steele et al. 2014).
        state = state + np.uint64(0x9E3779B97F4A7C15)
        mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        total += np.float64((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(40)) / 16777216.0
    return total - 1.5

"""From linear light to a picture: depth of field, bloom, vignette, film curve, grain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undercard.previz.kernel import kernel, part
from undercard.previz.mesh import Floats, Ints
from undercard.previz.view import SENSOR_WIDTH_MM

BACKDROP_METRES = 14.0
"""Depth that the lens takes the arena to have; out there the blur hardly changes."""
SHARP_COLUMNS = 5
"""Of the sharp picture: linear light (3), depth, radius of the circle of confusion, px, negative before the focus."""
TAPS = 56
"""Samples of the blur's disc."""


@kernel
def confusion(
    light: Floats,
    depth: Floats,
    focus: float,
    lens_mm: float,
    f_number: float,
    limit_px: float,
    rows: tuple[int, int],
    sharp: Floats,
) -> None:
    """Fill *sharp* (SHARP_COLUMNS) with each pixel's light, depth and circle of confusion.

    Thin lens: c = f² / N · |z − z₀| / (z · (z₀ − f)) on the sensor, 36 mm wide; half of it is the radius.
    """
    width = depth.shape[1]
    focal = lens_mm / 1000.0
    scale = 0.5 * focal * focal / f_number / max(focus - focal, 0.05) * width * 1000.0 / SENSOR_WIDTH_MM
    for y in range(rows[0], rows[1]):
        for x in range(width):
            z = min(depth[y, x], BACKDROP_METRES)
            radius = scale * (z - focus) / max(z, 0.05)
            sharp[y, x, 0], sharp[y, x, 1], sharp[y, x, 2] = light[y, x, 0], light[y, x, 1], light[y, x, 2]
            sharp[y, x, 3], sharp[y, x, 4] = depth[y, x], min(max(radius, -limit_px), limit_px)


def spiral(limit_px: float) -> tuple[Ints, Floats]:
    """Return the taps of a disc of *limit_px*: steps (TAPS, 2) in rows and columns, and their lengths (TAPS,).

    A golden-angle spiral (Vogel, "A better way to construct the sunflower head", 1979); whole pixels, so that a tap
    is one read.
    """
    index = np.arange(TAPS)
    # The first is the pixel itself: else what is nearly sharp would move by a pixel.
    away = limit_px * np.sqrt(np.where(index > 0, index + 0.5, 0.0) / TAPS)
    turn = index * np.pi * (3.0 - np.sqrt(5.0))
    steps = np.stack([np.round(away * np.sin(turn)), np.round(away * np.cos(turn))], axis=1).astype(np.int32)
    lengths: Floats = np.hypot(steps[:, 0], steps[:, 1]).astype(np.float32)
    return steps, lengths


@kernel
def blur(sharp: Floats, steps: Ints, lengths: Floats, rows: tuple[int, int], out: Floats) -> None:
    """Gather the circles of confusion that reach each pixel of the given rows.

    The taps are the same for every pixel, so that nothing boils. A neighbour counts when its own circle reaches here,
    and, if it lies behind, no farther than this pixel's own blur, so that a sharp edge stays clean.
    """
    height, width = sharp.shape[0], sharp.shape[1]
    tile = 16
    # The last tap is the farthest, within what rounding to pixels does.
    reach = int(lengths[-1]) + 2
    for y0 in range(rows[0], rows[1], tile):
        for x0 in range(0, width, tile):
            y1, x1 = min(y0 + tile, rows[1]), min(x0 + tile, width)
            widest = 0.0
            for y in range(max(y0 - reach, 0), min(y1 + reach, height), 2):
                for x in range(max(x0 - reach, 0), min(x1 + reach, width), 2):
                    widest = max(widest, abs(sharp[y, x, 4]))
            # The spiral winds outward: past the widest circle of the neighbourhood nothing can reach here.
            taps = 0
            while taps < len(lengths) and lengths[taps] <= widest + 1.0:
                taps += 1
            for y in range(y0, y1):
                for x in range(x0, x1):
                    if widest < 0.4:
                        out[y, x, 0], out[y, x, 1], out[y, x, 2] = sharp[y, x, 0], sharp[y, x, 1], sharp[y, x, 2]
                    else:
                        out[y, x, 0], out[y, x, 1], out[y, x, 2] = _gathered(sharp, steps, lengths, taps, y, x)


@part
def _gathered(sharp: Floats, steps: Ints, lengths: Floats, taps: int, y: int, x: int) -> tuple[float, float, float]:
    """Return the light that falls on a pixel from the circles of its neighbours."""
    height, width = sharp.shape[0], sharp.shape[1]
    z, radius = sharp[y, x, 3], sharp[y, x, 4]
    own = abs(radius)
    # A tap stands for this much of the disc, in units of pi.
    share = (lengths[-1] + 0.5) ** 2 / TAPS
    near_total = near_r = near_g = near_b = 0.0
    total, r, g, b = 1e-3, 1e-3 * sharp[y, x, 0], 1e-3 * sharp[y, x, 1], 1e-3 * sharp[y, x, 2]
    for tap in range(taps):
        q, p = y + steps[tap, 0], x + steps[tap, 1]
        if q < 0 or p < 0 or q >= height or p >= width:
            continue
        depth, circle = sharp[q, p, 3], sharp[q, p, 4]
        theirs = abs(circle)
        if depth > z + 0.05:
            # Behind a thing that is itself blurred in front, anything near by stands for what it half covers.
            theirs = own if radius < -0.5 else min(theirs, own)
        weight = min(theirs - lengths[tap] + 1.0, 1.0)
        if weight <= 0.0:
            continue
        # A wide circle spreads its light thin.
        weight *= min(share / max(theirs * theirs, 0.25), 1.0)
        if circle < -0.5 and depth < z + 0.05:
            near_total += weight
            near_r += weight * sharp[q, p, 0]
            near_g += weight * sharp[q, p, 1]
            near_b += weight * sharp[q, p, 2]
        else:
            total += weight
            r += weight * sharp[q, p, 0]
            g += weight * sharp[q, p, 1]
            b += weight * sharp[q, p, 2]
    # What is out of focus in front covers what is behind it only in part.
    cover = min(near_total, 1.0)
    if near_total > 0.0:
        near_r, near_g, near_b = near_r / near_total, near_g / near_total, near_b / near_total
    if total < 2e-3 and near_total > 0.0:
        # Nothing sharp or far was found behind it.
        cover = 1.0
    seen = (1.0 - cover) / total
    return near_r * cover + r * seen, near_g * cover + g * seen, near_b * cover + b * seen


@kernel
def close_gaps(light: Floats, sharp: Floats, rows: tuple[int, int], out: Floats) -> None:
    """Average each well-blurred pixel with its well-blurred neighbours: a bright point else shows the single taps."""
    height, width = sharp.shape[0], sharp.shape[1]
    for y in range(rows[0], rows[1]):
        for x in range(width):
            own = abs(sharp[y, x, 4])
            reach = 0 if own < 2.0 else (1 if own < 5.0 else 2)
            r = g = b = total = 0.0
            for q in range(max(y - reach, 0), min(y + reach + 1, height)):
                for p in range(max(x - reach, 0), min(x + reach + 1, width)):
                    if reach == 0 or abs(sharp[q, p, 4]) > 0.6 * own:
                        total += 1.0
                        r += light[q, p, 0]
                        g += light[q, p, 1]
                        b += light[q, p, 2]
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
            r, g, b = weights[0] * source[y, x, 0], weights[0] * source[y, x, 1], weights[0] * source[y, x, 2]
            for tap in range(1, len(weights)):
                weight = weights[tap]
                if along_rows:
                    low, high, left, right = y, y, max(x - tap, 0), min(x + tap, width - 1)
                else:
                    low, high, left, right = max(y - tap, 0), min(y + tap, height - 1), x, x
                r += weight * (source[low, left, 0] + source[high, right, 0])
                g += weight * (source[low, left, 1] + source[high, right, 1])
                b += weight * (source[low, left, 2] + source[high, right, 2])
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = r, g, b


def gaussian(sigma: float) -> Floats:
    """Return the right half of a Gaussian, its middle first, summing to 1 with its mirror image."""
    half = np.exp(-0.5 * (np.arange(int(3 * sigma) + 1) / sigma) ** 2)
    weights: Floats = (half / (2 * half.sum() - half[0])).astype(np.float32)
    return weights


def transfer_curve() -> Floats:
    """Return sRGB's transfer curve (IEC 61966-2-1) at the squares of 1024 even steps, to be read by root."""
    light = np.linspace(0.0, 1.0, 1024) ** 2
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1.0 / 2.4) - 0.055)
    curve: Floats = coded.astype(np.float32)
    return curve


@kernel
def develop(
    light: Floats,
    glow: Floats,
    step: int,
    grade: Floats,
    curve: Floats,
    seed: int,
    rows: tuple[int, int],
    image: NDArray[np.uint8],
) -> None:
    """Turn linear *light* (h, w, 3) plus its *glow* into sRGB bytes for the given rows.

    Arrays:
        glow: At 1/step resolution.
        grade: Exposure, contrast, saturation, vignette, bloom, tint's red, green and blue, grain.
        curve: See transfer_curve.
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
            off = min(0.5 * (across * across + 0.8 * down * down), 1.0)
            dark = 1.0 - grade[3] * off * np.sqrt(off)
            for k in range(3):
                near = glow[y0, x0, k] * (1 - fx) + glow[y0, x0 + 1, k] * fx
                far = glow[y0 + 1, x0, k] * (1 - fx) + glow[y0 + 1, x0 + 1, k] * fx
                value = light[y, x, k] + grade[4] * (near * (1 - fy) + far * fy)
                colour[k] = _filmic(max(value * grade[0] * dark * grade[5 + k], 0.0))
            luma = 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]
            noise = grade[8] * _grain(x, y, seed) * (0.35 + luma) * (1.15 - luma)
            for k in range(3):
                value = luma + (colour[k] - luma) * grade[2]
                place = np.sqrt(min(max(value, 0.0), 1.0)) * (len(curve) - 1.001)
                low = int(place)
                value = curve[low] + (place - low) * (curve[low + 1] - curve[low])
                value = 0.42 + (value - 0.42) * grade[1] + noise
                image[y, x, k] = np.uint8(min(max(value, 0.0), 1.0) * 255.0 + 0.5)


@part
def _filmic(x: float) -> float:
    """Return the ACES film curve, 0…1 (fit by Narkowicz, "ACES Filmic Tone Mapping Curve", 2016)."""
    return min(max(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0.0), 1.0)


@part
def _grain(x: int, y: int, seed: int) -> float:
    """Return noise of mean 0, near-normal, by hashing the pixel: three uniform values added."""
    # SplitMix64 (Steele et al. 2014), whose 64 bits are three values of 21.
    state = np.uint64(x * 1973 + y * 9277 + seed * 26699 + 1) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits = np.int64((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(1))
    total = (bits & 0x1FFFFF) + ((bits >> 21) & 0x1FFFFF) + ((bits >> 42) & 0x1FFFFF)
    return float(total) / 2097152.0 - 1.5

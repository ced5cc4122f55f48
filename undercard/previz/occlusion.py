"""How much of each lamp and of the sky a point sees: rays at half resolution, then a filter that respects edges."""

from __future__ import annotations

import numpy as np

from undercard.previz.kernel import kernel, part
from undercard.previz.mesh import Floats, Ints
from undercard.previz.rays import TILE

CHANNELS = 4
"""Of visibility: key, two rims, sky (ambient occlusion)."""
SKY = 3
SKY_REACH = 0.85
"""Metres within which things darken each other."""
LIFT = 0.006
"""Metres a shadow ray starts above its surface: half a facet's bulge on the figures."""


@kernel
def light_rays(
    near: Floats,
    hit: Ints,
    first: int,
    width: int,
    lamps: Floats,
    kinds: Ints,
    pattern: Floats,
    origins: Floats,
    directions: Floats,
    reach: Floats,
) -> None:
    """Fill one ray a point and sample: toward a place on a lamp's disc, or into the hemisphere.

    Arrays:
        near: Points and normals of a band of pixels, shape (pixels, shading.NEAR_COLUMNS).
        hit: Shape (n,), the pixels that have a point.
        first: Number of the band's first pixel in the picture, which is *width* pixels wide.
        lamps: See lights.LAMP_COLUMNS.
        kinds: Shape (s,), the channel of each sample.
        pattern: Places on the unit disc and an even number of 0…1, shape (TILE², s, 3).
        origins: Out, shape (n·s, 3), and *directions* alike.
        reach: Out, shape (n·s,); 0 where the lamp cannot matter.
    """
    samples = len(kinds)
    for h in range(len(hit)):
        i = hit[h]
        x, y = (first + i) % width, (first + i) // width
        tile = (y % TILE) * TILE + x % TILE
        nx, ny, nz = near[i, 3], near[i, 4], near[i, 5]
        px, py, pz = near[i, 0] + LIFT * nx, near[i, 1] + LIFT * ny, near[i, 2] + LIFT * nz
        around = _basis(nx, ny, nz)
        for s in range(samples):
            row = h * samples + s
            a, b = pattern[tile, s, 0], pattern[tile, s, 1]
            kind = kinds[s]
            if kind == SKY:
                # Cosine-weighted about the normal (Malley's method), nearer things counting for more.
                (tx, ty, tz), (bx, by, bz) = around
                c = np.sqrt(max(0.0, 1.0 - a * a - b * b))
                dx, dy, dz = a * tx + b * bx + c * nx, a * ty + b * by + c * ny, a * tz + b * bz + c * nz
                far = SKY_REACH * (0.2 + 0.8 * pattern[tile, s, 2])
            else:
                lx, ly, lz = lamps[kind, 7], lamps[kind, 8], lamps[kind, 9]
                (tx, ty, tz), (bx, by, bz) = _basis(lx, ly, lz)
                a, b = a * lamps[kind, 3], b * lamps[kind, 3]
                dx = lamps[kind, 0] + a * tx + b * bx - px
                dy = lamps[kind, 1] + a * ty + b * by - py
                dz = lamps[kind, 2] + a * tz + b * bz - pz
                far = np.sqrt(dx * dx + dy * dy + dz * dz)
                dx, dy, dz = dx / far, dy / far, dz / far
                facing = dx * nx + dy * ny + dz * nz
                if facing < -0.3 or -(dx * lx + dy * ly + dz * lz) < lamps[kind, 11]:
                    far = 0.0
            origins[row, 0], origins[row, 1], origins[row, 2] = px, py, pz
            directions[row, 0], directions[row, 1], directions[row, 2] = dx, dy, dz
            reach[row] = far


@kernel
def gather_visibility(blocked: Ints, hit: Ints, kinds: Ints, visibility: Floats) -> None:
    """Average the answers to the rays of the pixels *hit* into *visibility*, shape (pixels, CHANNELS)."""
    samples = len(kinds)
    for h in range(len(hit)):
        i = hit[h]
        s = 0
        while s < samples:
            # A channel's samples lie side by side.
            kind, start, open_ways = kinds[s], s, 0.0
            while s < samples and kinds[s] == kind:
                open_ways += 1.0 if blocked[h * samples + s] != 0 else 0.0
                s += 1
            visibility[i, kind] = open_ways / (s - start)


@kernel
def smooth_visibility(rows: tuple[int, int], raw: Floats, near: Floats) -> None:
    """Filter *raw* (h, w, CHANNELS) into columns 7 to 10 of *near* (shading.NEAR_COLUMNS) for the rows given.

    A box of one tile (half weights at its rim, so that it is centred) holds every sample of the tile's set exactly
    once, which takes the pattern out; a neighbour counts only as far as it lies in the same plane and faces alike.
    """
    height, width = near.shape[0], near.shape[1]
    reach = TILE // 2
    for y in range(rows[0], rows[1]):
        for x in range(width):
            px, py, pz = near[y, x, 0], near[y, x, 1], near[y, x, 2]
            nx, ny, nz = near[y, x, 3], near[y, x, 4], near[y, x, 5]
            if near[y, x, 6] <= 0.0:
                for k in range(CHANNELS):
                    near[y, x, 7 + k] = 1.0
                continue
            total = key = left = right = sky = 0.0
            steep = 1.0 / (0.004 + 0.006 * near[y, x, 6])
            for j in range(max(0, y - reach), min(height, y + reach + 1)):
                for i in range(max(0, x - reach), min(width, x + reach + 1)):
                    alike = nx * near[j, i, 3] + ny * near[j, i, 4] + nz * near[j, i, 5]
                    # No pixel without a point has a normal.
                    if alike < 0.5:
                        continue
                    off = nx * (near[j, i, 0] - px) + ny * (near[j, i, 1] - py) + nz * (near[j, i, 2] - pz)
                    off *= steep
                    weight = alike / (1.0 + off * off)
                    if abs(j - y) == reach:
                        weight *= 0.5
                    if abs(i - x) == reach:
                        weight *= 0.5
                    total += weight
                    key += weight * raw[j, i, 0]
                    left += weight * raw[j, i, 1]
                    right += weight * raw[j, i, 2]
                    sky += weight * raw[j, i, 3]
            near[y, x, 7], near[y, x, 8] = key / total, left / total
            near[y, x, 9], near[y, x, 10] = right / total, sky / total


@part
def _basis(x: float, y: float, z: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return two unit vectors square to (x, y, z) (Duff et al., "Building an Orthonormal Basis, Revisited")."""
    sign = 1.0 if z >= 0.0 else -1.0
    a = -1.0 / (sign + z)
    b = x * y * a
    return (1.0 + sign * x * x * a, sign * b, -sign * x), (b, sign + y * y * a, -y)

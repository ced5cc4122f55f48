"""How much of each lamp and of the sky a point sees: rays at half resolution, then a filter that respects edges."""

from __future__ import annotations

import numpy as np

from undercard.previz.kernel import kernel
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
    points: Floats,
    normals: Floats,
    tiles: Ints,
    lamps: Floats,
    kinds: Ints,
    pattern: Floats,
    origins: Floats,
    directions: Floats,
    reach: Floats,
) -> None:
    """Fill one ray a point and sample: toward a place on a lamp's disc, or into the hemisphere.

    Arrays:
        points: Shape (n, 3), and *normals* alike.
        tiles: Shape (n,), the point's place in its tile.
        lamps: See lights.LAMP_COLUMNS.
        kinds: Shape (s,), the channel of each sample.
        pattern: Shape (TILE², s, 2).
        origins: Out, shape (n·s, 3), and *directions* alike.
        reach: Out, shape (n·s,); 0 where the lamp cannot matter.
    """
    samples = len(kinds)
    for i in range(len(points)):
        nx, ny, nz = normals[i, 0], normals[i, 1], normals[i, 2]
        px, py, pz = points[i, 0] + LIFT * nx, points[i, 1] + LIFT * ny, points[i, 2] + LIFT * nz
        for s in range(samples):
            row = i * samples + s
            first, second = pattern[tiles[i], s, 0], pattern[tiles[i], s, 1]
            radius, turn = np.sqrt(first), 2.0 * np.pi * second
            a, b = radius * np.cos(turn), radius * np.sin(turn)
            kind = kinds[s]
            if kind == SKY:
                # Cosine-weighted about the normal (Malley's method), nearer things counting for more.
                (tx, ty, tz), (bx, by, bz) = _basis(nx, ny, nz)
                c = np.sqrt(max(0.0, 1.0 - first))
                dx, dy, dz = a * tx + b * bx + c * nx, a * ty + b * by + c * ny, a * tz + b * bz + c * nz
                far = SKY_REACH * (0.2 + 0.8 * second)
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
def gather_visibility(blocked: Ints, kinds: Ints, visibility: Floats) -> None:
    """Average the answers to a point's rays into *visibility*, shape (n, CHANNELS)."""
    samples = len(kinds)
    for i in range(len(visibility)):
        seen = np.zeros(CHANNELS, np.float32)
        count = np.zeros(CHANNELS, np.float32)
        for s in range(samples):
            count[kinds[s]] += 1.0
            if blocked[i * samples + s] != 0:
                seen[kinds[s]] += 1.0
        for k in range(CHANNELS):
            visibility[i, k] = seen[k] / max(count[k], 1.0)


@kernel
def smooth_visibility(
    rows: tuple[int, int], points: Floats, normals: Floats, distance: Floats, raw: Floats, smooth: Floats
) -> None:
    """Filter *raw* (h, w, CHANNELS) into *smooth* for the rows given.

    A box of one tile (half weights at its rim, so that it is centred) holds every sample of the tile's set exactly
    once, which takes the pattern out; a neighbour counts only as far as it lies in the same plane and faces alike.
    """
    height, width = distance.shape
    reach = TILE // 2
    for y in range(rows[0], rows[1]):
        for x in range(width):
            if distance[y, x] <= 0.0:
                continue
            total = 0.0
            sums = np.zeros(CHANNELS, np.float32)
            tolerance = 0.004 + 0.006 * distance[y, x]
            for j in range(max(0, y - reach), min(height, y + reach + 1)):
                for i in range(max(0, x - reach), min(width, x + reach + 1)):
                    if distance[j, i] <= 0.0:
                        continue
                    off = 0.0
                    alike = 0.0
                    for k in range(3):
                        off += normals[y, x, k] * (points[j, i, k] - points[y, x, k])
                        alike += normals[y, x, k] * normals[j, i, k]
                    if alike < 0.5:
                        continue
                    weight = alike / (1.0 + (off / tolerance) ** 2)
                    if abs(j - y) == reach:
                        weight *= 0.5
                    if abs(i - x) == reach:
                        weight *= 0.5
                    total += weight
                    for k in range(CHANNELS):
                        sums[k] += weight * raw[j, i, k]
            for k in range(CHANNELS):
                smooth[y, x, k] = sums[k] / total


@kernel
def _basis(x: float, y: float, z: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return two unit vectors square to (x, y, z) (Duff et al., "Building an Orthonormal Basis, Revisited")."""
    sign = 1.0 if z >= 0.0 else -1.0
    a = -1.0 / (sign + z)
    b = x * y * a
    return (1.0 + sign * x * x * a, sign * b, -sign * x), (b, sign + y * y * a, -y)

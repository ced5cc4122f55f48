"""Rays and what they meet: camera rays, hit points, and the fixed sample patterns of soft light."""

from __future__ import annotations

import numpy as np

from undercard.previz.kernel import kernel, part
from undercard.previz.mesh import Floats, Ints

TILE = 4
"""Side of the tile of pixels that share a sample set; the filter that follows is exactly as wide."""


@kernel
def camera_rays(
    axes: Floats, focal_px: float, width: int, height: int, xs: Floats, ys: Floats, directions: Floats
) -> None:
    """Fill *directions* (n, 3) with unit vectors through the pixels at (xs, ys), pixel centres at .5."""
    for i in range(len(xs)):
        right = (xs[i] - 0.5 * width) / focal_px
        up = (0.5 * height - ys[i]) / focal_px
        scale = 1.0 / np.sqrt(1.0 + right * right + up * up)
        for k in range(3):
            directions[i, k] = (axes[0, k] * right + axes[1, k] * up + axes[2, k]) * scale


@part
def normal_at(
    corners: Floats, faces: Ints, triangle: int, u: float, v: float, x: float, y: float, z: float
) -> tuple[float, float, float]:
    """Return the interpolated unit normal of *triangle* at (u, v), turned against the ray direction (x, y, z).

    The first three columns of *corners* are normals (Scene.corners).
    """
    a, b, c = faces[triangle, 0], faces[triangle, 1], faces[triangle, 2]
    w = 1.0 - u - v
    nx = corners[a, 0] * w + corners[b, 0] * u + corners[c, 0] * v
    ny = corners[a, 1] * w + corners[b, 1] * u + corners[c, 1] * v
    nz = corners[a, 2] * w + corners[b, 2] * u + corners[c, 2] * v
    scale = 1.0 / max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
    if nx * x + ny * y + nz * z > 0.0:
        scale = -scale
    return nx * scale, ny * scale, nz * scale


def sample_pattern(per_pixel: int) -> Floats:
    """Return the samples of each pixel of a tile, shape (TILE², per_pixel, 2), in [0, 1).

    The R2 sequence (Roberts, "The Unreasonable Effectiveness of Quasirandom Sequences", 2018): each pixel takes a run
    of consecutive points, which is even by itself, and the tile together takes the first TILE² · per_pixel points,
    which are even as a whole. The pattern is fixed to the picture, so that what noise is left does not boil.
    """
    plastic = 1.324717957244746
    index = np.arange(TILE * TILE * per_pixel)[:, None] + 1
    points = (0.5 + index * np.array([1 / plastic, 1 / plastic**2])) % 1.0
    tile: Floats = points.reshape(TILE * TILE, per_pixel, 2).astype(np.float32)
    return tile


def on_disc(square: Floats) -> Floats:
    """Return points of the unit square, shape (..., 2), as x and y on the unit disc, as even by area as they were.

    Returns:
        Shape (..., 3): the third is the point's second coordinate in the square.
    """
    radius, turn = np.sqrt(square[..., 0]), 2.0 * np.pi * square[..., 1]
    disc = np.stack([radius * np.cos(turn), radius * np.sin(turn), square[..., 1]], axis=-1)
    return np.ascontiguousarray(disc, np.float32)

"""How sharp the sharpest tenth of a picture is: 0 for fog, about 1 for drawn edges.

The measure is the variance of the Laplacian (Pech-Pacheco et al., 2000) a tile, over the variance of the tile itself:
the quotient does not change with exposure or contrast, so that dark pictures are judged like bright ones. Tiles that
hold no structure, such as a dark hall, have no say. Of the others the sharpest tenth speaks for the picture, not the
median: with depth of field most of a good picture is soft on purpose, but what it is about is sharp.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.gate.evidence import Evidence
from undercard.gate.pictures import Grey

Variances: TypeAlias = NDArray[np.float64]

TILE = 64
"""Pixels."""
STRUCTURE = 8.0
"""Standard deviation of a tile that holds something, levels; grain and 8-bit steps stay below 4."""
SHARPEST_PERCENT = 90.0


def sharpness_of(evidence: Evidence) -> float:
    """Return `sharpness` of the picture of *evidence*."""
    return sharpness(evidence.grey)


def sharpness(luma: Grey) -> float:
    """Return the contrast-free variance of the Laplacian of the sharpest tenth of *luma*; 0 without structure."""
    grey = luma.astype(np.int16)
    inner = grey[1:-1, 1:-1]
    if not inner.size:
        return 0.0
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    spread = _variances(inner)
    edges = _variances(around - 4 * inner)
    holds = spread > STRUCTURE**2
    if not holds.any():
        return 0.0
    return float(np.percentile(edges[holds] / spread[holds], SHARPEST_PERCENT))


def _variances(plane: NDArray[np.int16]) -> Variances:
    """Return the variance of each tile of *plane*, about 64 px a side; shape (rows, columns)."""
    height, width = plane.shape
    rows, columns = max(1, round(height / TILE)), max(1, round(width / TILE))
    tall, wide = height // rows, width // columns
    strips = plane[: rows * tall, : columns * wide].astype(np.float32).reshape(-1, wide)
    # Of a row of a tile both sums are exact or nearly so in float32; of a tile they are summed in float64. They are no
    # product of matrices, since BLAS would take another core to that for longer than it lasts.
    sums = np.einsum("ij->i", strips), np.einsum("ij,ij->i", strips, strips)
    mean, square = (each.reshape(rows, tall, columns).sum(axis=1, dtype=np.float64) / (tall * wide) for each in sums)
    variances: Variances = square - mean * mean
    return variances

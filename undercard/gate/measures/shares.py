"""Where pixels of one kind lie, for checks that count them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undercard.gate.contract import Region

CELL = 32
"""Pixels."""


def region_of(marked: NDArray[np.bool_]) -> Region | None:
    """Return the box around every cell of 32 px that is mostly *marked*, shape (height, width); None without one."""
    height, width = marked.shape
    rows, columns = max(1, height // CELL), max(1, width // CELL)
    tall, wide = height // rows, width // columns
    cells = marked[: rows * tall, : columns * wide].reshape(rows, tall, columns, wide).mean(axis=(1, 3)) > 0.5
    ys, xs = np.nonzero(cells)
    if not len(ys):
        return None
    left, top = int(xs.min()) * wide, int(ys.min()) * tall
    return left, top, (int(xs.max()) + 1) * wide - left, (int(ys.max()) + 1) * tall - top

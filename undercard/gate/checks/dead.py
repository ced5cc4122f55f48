"""Rejects a picture with dead tiles; score: share of the picture that lies in them.

NaN from a decoder becomes one flat colour over the tile that was decoded in one piece. A dead tile is told from a dark
background by its border: straight, on the grid, and abrupt.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.gate.contract import Finding, Region
from undercard.gate.evidence import Evidence
from undercard.gate.pictures import Grey
from undercard.gate.thresholds import threshold

Cells: TypeAlias = NDArray[np.bool_]

CELL = 16
"""Pixels; tiles of a latent decoder begin and end on multiples of it."""
ABRUPT = 16.0
"""Mean step across a cell's border, levels."""
LEAST_STEP = 4
"""Step of nearly every single pixel across it, levels."""
STEPPING_SHARE = 0.85
"""Of a cell's border. A noisy picture comes near the tile's level here and there."""
WALL_CELLS = 4
"""Cells in a row that make a border: 64 px. Under a spot 1.2 % of previz cells are flat, none is walled off."""
LEAST_WALLS = 2
"""A rope seen from the front can lie along one line of the grid, before a hall that is one flat black."""


class DeadTiles:
    """Looks for flat cells behind hard, straight borders."""

    name = "dead"
    cost = 0.002

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when no part of the picture is flat that should not be."""
        score, region = dead_share(evidence.grey)
        cause = f"dead tiles: {score:.1%} of the picture is one flat colour that ends in a straight, hard edge"
        return threshold(self.name, evidence.backend).finding(score, cause, region)


def dead_share(grey: Grey) -> tuple[float, Region | None]:
    """Return the share of cells without any detail and where they lie, if they are walled off; else 0."""
    rows, columns = grey.shape[0] // CELL, grey.shape[1] // CELL
    if rows < WALL_CELLS or columns < WALL_CELLS:
        return 0.0, None
    whole = grey[: rows * CELL, : columns * CELL]
    cells = whole.reshape(rows, CELL, columns, CELL)
    flat = cells.max(axis=1).max(axis=2) == cells.min(axis=1).min(axis=2)
    if not flat.any():
        return 0.0, None
    levels = cells[:, 0, :, 0]
    walled = [*_walled_levels(whole, flat, levels), *_walled_levels(whole.T, flat.T, levels.T)]
    if len(walled) < LEAST_WALLS:
        return 0.0, None
    # Burnt or black elsewhere is another matter.
    flat &= levels == np.bincount(walled).argmax()
    ys, xs = np.nonzero(flat)
    left, top = int(xs.min()), int(ys.min())
    region = left * CELL, top * CELL, (int(xs.max()) - left + 1) * CELL, (int(ys.max()) - top + 1) * CELL
    return float(flat.mean()), region


def _walled_levels(grey: Grey, flat: Cells, levels: Grey) -> list[int]:
    """Return for each upright line of the grid along which flat cells meet live ones abruptly the flat ones' level."""
    left = grey[:, CELL - 1 : -1 : CELL].astype(np.int16)
    right = grey[:, CELL::CELL].astype(np.int16)
    step = np.abs(left - right).reshape(flat.shape[0], CELL, -1)
    # Nearly every pixel of the line steps: a rope that runs along it at a slant leaves it again.
    hard = (step.mean(axis=1) >= ABRUPT) & ((step >= LEAST_STEP).mean(axis=1) >= STEPPING_SHARE)
    wall = (flat[:, :-1] != flat[:, 1:]) & hard
    runs: Cells = np.asarray(np.lib.stride_tricks.sliding_window_view(wall, WALL_CELLS, axis=0).all(axis=-1))
    beside = np.where(flat[:, :-1], levels[:, :-1], levels[:, 1:])
    lines = np.nonzero(runs.any(axis=0))[0]
    found: list[int] = beside[runs[:, lines].argmax(axis=0), lines].tolist()
    return found


CHECK = DeadTiles()

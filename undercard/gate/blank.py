"""Rejects a picture that shows nothing, wholly or in dead tiles; score: share of it that shows nothing.

A decoder that overflows leaves NaN, which becomes one flat colour: over the whole picture, or over the tiles that it
decoded in one piece. A dead tile is told from a dark background by its border: straight, on the grid, and abrupt.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageStat

from undercard.gate import Evidence, Finding

Grey: TypeAlias = NDArray[np.uint8]
Cells: TypeAlias = NDArray[np.bool_]

LEAST_SPREAD = 6.0
"""Standard deviation of the liveliest channel, levels. Calibrated on 16 previz frames of five lights: 36 to 83."""
CELL = 16
"""Pixels; tiles of a latent decoder begin and end on multiples of it."""
ABRUPT = 16.0
"""Mean step across a cell's border, levels."""
LEAST_STEP = 4
"""Step of every single pixel across it, levels."""
WALL_CELLS = 4
"""Cells in a row that make a border: 64 px. Under a spot 1.2 % of previz cells are flat, none is walled off."""
LEAST_WALLS = 2
"""A rope seen from the front can lie along one line of the grid, before a hall that is one flat black."""
MOST_DEAD = 0.005
"""Share of the picture. One dead tile of 128 px is 0.016 of a picture of 1024×1024."""


class Blank:
    """Looks for a flat picture, then for flat tiles."""

    name = "blank"
    cost = 0.01

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when the picture shows something everywhere that it should."""
        image = Image.fromarray(evidence.pixels)
        spread = max(ImageStat.Stat(image).stddev)
        if spread < LEAST_SPREAD:
            score = 1.0
            cause = f"nothing in the picture: one colour, give or take {spread:.1f} of 255 levels"
        else:
            score = _dead_share(np.asarray(image.convert("L")))
            cause = f"dead tiles: {score:.0%} of the picture is one flat colour that ends in a straight, hard edge"
        passed = score <= MOST_DEAD
        return Finding(check=self.name, score=score, threshold=MOST_DEAD, passed=passed, cause="" if passed else cause)


def _dead_share(grey: Grey) -> float:
    """Return the share of cells without any detail if they are walled off, else 0."""
    rows, columns = grey.shape[0] // CELL, grey.shape[1] // CELL
    if rows < WALL_CELLS or columns < WALL_CELLS:
        return 0.0
    whole = grey[: rows * CELL, : columns * CELL]
    cells = whole.reshape(rows, CELL, columns, CELL)
    flat = cells.max(axis=1).max(axis=2) == cells.min(axis=1).min(axis=2)
    walls = _upright_walls(whole, flat) + _upright_walls(whole.T, flat.T)
    return float(flat.mean()) if walls >= LEAST_WALLS else 0.0


def _upright_walls(grey: Grey, flat: Cells) -> int:
    """Count the upright lines of the grid along which flat cells meet live ones abruptly."""
    left = grey[:, CELL - 1 : -1 : CELL].astype(np.int16)
    right = grey[:, CELL::CELL].astype(np.int16)
    step = np.abs(left - right).reshape(flat.shape[0], CELL, -1)
    # Every pixel of the line steps: a rope that runs along it at a slant touches it here and there.
    hard = (step.mean(axis=1) >= ABRUPT) & (step.min(axis=1) >= LEAST_STEP)
    wall = (flat[:, :-1] != flat[:, 1:]) & hard
    runs = np.lib.stride_tricks.sliding_window_view(wall, WALL_CELLS, axis=0).all(axis=-1)
    return int(runs.any(axis=0).sum())


CHECK = Blank()

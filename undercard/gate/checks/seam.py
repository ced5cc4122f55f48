"""Rejects a picture that is put together from tiles that differ; score: step at the worst border, levels.

A tile's border is a straight line across the whole picture on the decoder's grid, and everything on one side of it is
lighter: fighters, canvas and hall by the same small step, from one pixel to the next, and it stays lighter. A rope
steps as sharply, but not where a fighter stands before it, and behind it all is as before; the canvas's edge steps by
more than tiles differ; both are in the control image as well. JPEG's blocks step this way and that.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.gate.contract import Finding, Region
from undercard.gate.evidence import Evidence
from undercard.gate.measures.middle import middle
from undercard.gate.pictures import Grey, Pixels, luma
from undercard.gate.thresholds import threshold

Steps: TypeAlias = NDArray[np.float32]

GRID = 8
"""Pixels a cell of the latents."""
PARTS = 24
"""Of a line; each has its own step."""
AGREEING_PERCENT = 40.0
"""Of the parts, the least step of the rest is the line's: the others may be black, where no step shows."""
LEAST_CERTAINTY = 4.2
"""Median step of the parts over its standard error; the worst of 200 lines of pure noise comes to 3."""
MOST_STEP = 24.0
"""Levels; what steps by more is the edge of something."""
THICKEST = 18
"""Pixels of a rope."""
RETURN_SHARE = 0.5
"""Of the step, what the other side of a rope has at least."""
WORTH_A_LOOK = 0.5
"""Levels; below it the control image is not asked."""
ROOM = 2
"""Pixels beside a line that show how steep the picture is there anyway."""


class Seam:
    """Measures steps along the lines of the grid."""

    name = "seam"
    cost = 0.003

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when no line of the grid steps along its whole length."""
        row = threshold(self.name, evidence.backend)
        score, region = worst_seam(evidence.grey, evidence.control)
        cause = f"tiled: a step of {score:.1f} of 255 levels along a straight line across the picture"
        return row.finding(score, cause, region)


def worst_seam(grey: Grey, control: Pixels | None) -> tuple[float, Region | None]:
    """Return the largest step of a line of the grid, levels, and where that line is.

    Args:
        grey: the picture's luma.
        control: its control image, RGB; what steps there as well is no seam.
    """
    height, width = grey.shape
    best, where = 0.0, None
    for upright in (True, False):
        lines = np.arange(GRID, (width if upright else height) - ROOM, GRID)
        steps = line_steps(grey.T if upright else grey, lines)
        noted = np.nonzero(steps > WORTH_A_LOOK)[0]
        if len(noted) and control is not None and control.shape[:2] == grey.shape:
            drawn = luma(control)
            # Whatever it is there: what is too faint, steep or thin to be a seam in the one may not be in the other.
            there = np.abs(_agreed(_parts(drawn.T if upright else drawn, lines[noted])))
            steps[noted] = np.maximum(steps[noted] - there, 0.0)
        if len(steps) and steps.max() > best:
            best, at = float(steps.max()), int(lines[steps.argmax()])
            where = (at - ROOM, 0, 2 * ROOM, height) if upright else (0, at - ROOM, width, 2 * ROOM)
    return best, where


def line_steps(plane: Grey, lines: NDArray[np.int_]) -> Steps:
    """Return how far the rows of *plane* step at each of *lines*, levels, where most of the line agrees."""
    if not len(lines) or plane.shape[1] < PARTS:
        return np.zeros(len(lines), np.float32)
    parts = _parts(plane, lines)
    signed = _agreed(parts)
    # Of normal deviates the quartiles lie 1.35 deviations apart, and a median errs by 1.25 times as much as a mean.
    # Edges of things, which a few parts hold, move quartiles little.
    low, middle, high = np.percentile(parts, (25.0, 50.0, 75.0), axis=1)
    certain = np.abs(middle) >= LEAST_CERTAINTY * 1.25 * (high - low) / 1.35 / np.sqrt(PARTS)
    found: Steps = np.where(certain & (np.abs(signed) <= MOST_STEP), np.abs(signed), 0.0).astype(np.float32)
    for index in np.nonzero(found > WORTH_A_LOOK)[0]:
        if _comes_back(plane, int(lines[index]), float(signed[index])):
            found[index] = 0.0
    return found


def _parts(plane: Grey, lines: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return by how many levels each part of each of *lines* steps; shape (lines, parts)."""
    rows = {offset: plane[lines + offset].astype(np.int16) for offset in range(-ROOM, ROOM)}
    step = rows[0] - rows[-1]
    # What the picture does on either side of the line it would do across it, too.
    slope = (rows[1] - rows[0]) + (rows[-1] - rows[-2])
    wide = plane.shape[1] // PARTS
    # Every other pixel: the median takes most of the time.
    excess = (2 * step - slope)[:, : PARTS * wide].reshape(len(lines), PARTS, wide)[:, :, ::2]
    return middle(excess) / 2.0


def _agreed(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the step that most of the parts of a line have at least, or 0 where they go either way."""
    up, down = np.percentile(parts, (AGREEING_PERCENT, 100.0 - AGREEING_PERCENT), axis=1)
    agreed: NDArray[np.float64] = np.where(up > -down, np.maximum(up, 0.0), np.minimum(down, 0.0))
    return agreed


def _comes_back(plane: Grey, line: int, step: float) -> bool:
    """Say whether near *line* the rows of *plane* step back by half of *step* or more, as they do behind a rope."""
    rows = plane[max(line - THICKEST, 0) : line + THICKEST].astype(np.int16)
    # Over two rows, since a thing's edge is softened over as many.
    back = np.median(rows[2:] - rows[:-2], axis=1) * -np.sign(step)
    return bool(back.max(initial=0.0) >= RETURN_SHARE * abs(step))


CHECK = Seam()

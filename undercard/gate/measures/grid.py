"""How far smooth places of a picture step from block to block of a JPEG, levels.

A JPEG rounds the mean of every block of 8×8 pixels to a multiple of an eighth of its table's first quantum (ITU-T T.81,
annex K: 8 levels at quality 75, 16 at 50, 40 at 20). Where nothing else happens, neighbours differ by that or by
nothing, so that the median of those that differ tells the quality, whatever the picture shows. A seam of the decoder's
tiles is one line and no grid, and what a scene repeats every 8 pixels, such as bars, it repeats one way only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from undercard.gate.contract import Region
from undercard.gate.evidence import Evidence
from undercard.gate.measures.shares import region_of
from undercard.gate.pictures import Grey

Marked: TypeAlias = NDArray[np.bool_]

BLOCK = 8
"""Pixels. The grid may begin anywhere, since pictures are cropped."""
ROOM = 2
"""Pixels beside a border that show how steep the picture is there anyway."""
SAMPLED = 4
"""Rows of blocks from one that the grid is looked for in to the next."""
SMOOTH = 2.0
"""Levels: the mean difference from pixel to pixel on either side of a border, summed, where nothing else happens."""
LEAST_STEP = 0.5
"""Levels, on the mean of a border's 8 pixels; below it two blocks have the same mean."""
TIMES_AS_MANY = 3.0
"""Borders of smooth blocks that step, over the lines halfway between them: about 1 where there is no grid."""
LEAST_SHARE = 0.01
"""Of all borders, those that have to step before anything is said."""
LEAST_LINES = 0.25
"""Of the grid's lines, those that have to step somewhere: the seams of a picture's tiles are fewer."""

DENSE = 0.2
"""Of the blocks within two of one, those that step where it is of the grid."""


def block_step_of(evidence: Evidence) -> tuple[float, Region | None]:
    """Return `block_step` of the picture of *evidence*."""
    return block_step(evidence.grey)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a plane does from column to column, summed over each row of blocks, 8 pixels."""

    changes: NDArray[np.int32]
    """From each column to the next; shape (rows of blocks, columns - 1)."""
    sizes: NDArray[np.int32]
    """The same of every pixel's change without its sign."""


def block_step(grey: Grey) -> tuple[float, Region | None]:
    """Return the step between smooth blocks of *grey*, levels, and where blocks step; 0 and None without a grid."""
    if min(grey.shape) < 4 * BLOCK:
        return 0.0, None
    ways = grey, np.ascontiguousarray(grey.T)
    x, y = (_phase(plane) for plane in ways)
    found = [_steps(_rows(plane[start:]), at) for plane, at, start in zip(ways, (x, y), (y, x), strict=True)]
    score = min(step for step, _ in found)
    if not score:
        return 0.0, None
    (_, across), (_, down) = found
    return score, _region(across, down.T, (x, y), grey.shape)


def _rows(plane: Grey, every: int = 1) -> _Rows:
    """Return the rows of blocks of *plane*, which begins with a block's first row; of *every* so many one."""
    rows = len(plane) // BLOCK
    cut = plane[: rows * BLOCK].reshape(rows, BLOCK, -1)[::every]
    left, right = cut[:, :, :-1], cut[:, :, 1:]
    # Of bytes, which a processor has many of at a time.
    sizes = np.maximum(left, right) - np.minimum(left, right)
    levels, moves = (each.sum(axis=1, dtype=np.uint16).astype(np.int32) for each in (cut, sizes))
    return _Rows(np.diff(levels, axis=1), moves)


def _phase(plane: Grey) -> int:
    """Return at which of 8 columns borders step most often, 0 to 7."""
    sampled = _rows(plane, SAMPLED)
    return int(np.argmax([_share(*_borders(sampled, phase)) for phase in range(BLOCK)]))


def _steps(rows: _Rows, phase: int) -> tuple[float, Marked]:
    """Return the median step over the borders at *phase*, levels, and which borders step so; 0 where they are no grid.

    Args:
        rows: of the plane.
        phase: of its borders, columns from 0 to 7.

    Returns:
        The step, and the borders: shape (rows of blocks, borders), the first at column *phase*, or 8 more.
    """
    on, smooth = _borders(rows, phase)
    marked = smooth & (on > LEAST_STEP)
    between = _share(*_borders(rows, (phase + BLOCK // 2) % BLOCK))
    is_grid = _share(on, smooth) >= TIMES_AS_MANY * between and marked.any(axis=0).mean() >= LEAST_LINES
    if not is_grid or marked.mean() < LEAST_SHARE:
        return 0.0, marked
    step = float(np.median(on[marked]))
    # Grain steps as well, where blocks are not.
    return step, marked & (on > step / 2.0)


def _share(steps: NDArray[np.float64], smooth: Marked) -> float:
    """Return how many of the borders between smooth blocks step."""
    return float((smooth & (steps > LEAST_STEP)).sum() / max(1, smooth.sum()))


def _borders(rows: _Rows, phase: int) -> tuple[NDArray[np.float64], Marked]:
    """Return the mean step at each border, levels, and which borders lie between smooth blocks."""
    first = phase if phase >= ROOM else phase + BLOCK
    before, across, after = (slice(first + k, rows.changes.shape[1] + k, BLOCK) for k in (-2, -1, 0))
    excess = 2 * rows.changes[:, across] - rows.changes[:, before] - rows.changes[:, after]
    rough = (rows.sizes[:, before] + rows.sizes[:, after]) / BLOCK
    return np.abs(excess) / (2.0 * BLOCK), rough < SMOOTH


def _region(across: Marked, down: Marked, corner: tuple[int, int], shape: tuple[int, ...]) -> Region | None:
    """Return the box around every place where borders step, be it to the side or downwards.

    Args:
        across: borders to the side, shape (rows of blocks, borders).
        down: borders downwards, shape (borders, columns of blocks).
        corner: x and y of the grid's first borders, px.
        shape: of the picture.
    """
    rows, columns = (min(a, b) for a, b in zip(across.shape, down.shape, strict=True))
    stepped = Image.fromarray((across[:rows, :columns] | down[:rows, :columns]).astype(np.uint8) * 255)
    # A block that has its neighbour's mean lies among others that do not; the edge of a thing lies alone.
    near = stepped.filter(ImageFilter.BoxBlur(2)).resize((columns * BLOCK, rows * BLOCK), Image.Resampling.NEAREST)
    marked = np.zeros(shape, bool)
    inner = marked[corner[1] :, corner[0] :]
    inner[: rows * BLOCK, : columns * BLOCK] = (np.asarray(near) >= 255 * DENSE)[: inner.shape[0], : inner.shape[1]]
    return region_of(marked)

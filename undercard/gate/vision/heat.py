"""Where joints are in a picture, whoever's they are: the maps of MoveNet MultiPose, before it makes people of them.

The network finds joints where it fails to find people: of who lies, who is held in a clinch, who is seen from above,
or who stands behind somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from undercard.gate.vision.networks import Floats, run
from undercard.gate.vision.pose import Box, Pixels

SIDE = 384
"""Longer side of what the network is shown, px, at most."""
GRID = 32
"""Both sides of what the network is shown are multiples of it."""
STRIDE = 4
"""Pixels of what the network is shown, on each side of a cell of its maps."""
LEAST_HEAT = 0.15
"""Of a joint that may be there."""
KINDS = (("head", (0, 1, 2, 3, 4)), ("shoulder", (5, 6)), ("elbow", (7, 8)), ("wrist", (9, 10)), ("hip", (11, 12)),
         ("knee", (13, 14)), ("ankle", (15, 16)))  # fmt: skip
"""Joints that the network may take for one another, left and right above all."""
KIND_OF = np.array([kind for kind, (_, joints) in enumerate(KINDS) for _ in joints])
"""The kind of each joint, as an index of KINDS."""
_AROUND = 2
"""Cells on each side that a peak is the highest of."""


class Peak(NamedTuple):
    """A place where the network sees a joint."""

    kind: int
    """Index of KINDS."""
    x: float
    y: float
    """Pixels of the picture."""
    heat: float
    """0…1."""


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """How sure the network is of each joint at each place of a picture."""

    maps: Floats
    """Shape (17, rows, columns), 0…1; in the order of `pose.JOINTS`."""
    cell: float
    """Side of a cell, px of the picture."""

    def near(self, joint: int, x: float, y: float, radius: float) -> Peak:
        """Return the hottest cell of *joint* within *radius* px of *x* and *y*, across or down; heat 0 without one."""
        left, right = self._cells(x, radius, self.maps.shape[2])
        top, bottom = self._cells(y, radius, self.maps.shape[1])
        found = self.maps[joint, top:bottom, left:right]
        if not found.size:
            return Peak(int(KIND_OF[joint]), x, y, 0.0)
        row, column = np.unravel_index(int(found.argmax()), found.shape)
        across, down = (left + float(column) + 0.5) * self.cell, (top + float(row) + 0.5) * self.cell
        return Peak(int(KIND_OF[joint]), across, down, float(found[row, column]))

    def peaks(self, least: float = LEAST_HEAT) -> Iterator[Peak]:
        """Yield where joints of each kind are, of *least* heat and more."""
        for kind, (_, joints) in enumerate(KINDS):
            pooled = self.maps[list(joints)].max(axis=0)
            ys, xs = np.nonzero((pooled >= least) & (pooled == _highest_around(pooled)))
            for y, x in zip(ys, xs, strict=True):
                yield Peak(kind, (x + 0.5) * self.cell, (y + 0.5) * self.cell, float(pooled[y, x]))

    def _cells(self, middle: float, radius: float, many: int) -> tuple[int, int]:
        """Return the range of cells whose middle is within *radius* px of *middle*."""
        at = middle / self.cell - 0.5
        reach = max(radius / self.cell, 1.5)
        return max(0, int(np.ceil(at - reach))), max(0, min(many, int(np.floor(at + reach)) + 1))


def heat(pixels: Pixels, side: int = SIDE) -> Heat:
    """Return where joints are in *pixels*, RGB of shape (height, width, 3), seen with *side* px on its longer side."""
    image = Image.fromarray(pixels)
    scale = min(side, max(image.size)) / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    canvas = np.zeros((-(-height // GRID) * GRID, -(-width // GRID) * GRID, 3), np.int32)
    canvas[:height, :width] = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    _, maps = run("movenet-multipose.fp16", canvas[None])
    shown = maps.reshape(17, canvas.shape[0] // STRIDE, canvas.shape[1] // STRIDE)
    return Heat(shown[:, : -(-height // STRIDE), : -(-width // STRIDE)], STRIDE / scale)


def inside(peak: Peak, box: Box, margin: float) -> bool:
    """Say whether *peak* is in *box*, or no more than *margin* px out of it."""
    left, top, right, bottom = box
    return left - margin <= peak.x <= right + margin and top - margin <= peak.y <= bottom + margin


def _highest_around(heat_map: Floats) -> Floats:
    """Return for each cell the highest value of the cells around it."""
    highest = heat_map
    for axis in (0, 1):
        padded = np.pad(highest, [(_AROUND, _AROUND) if axis == each else (0, 0) for each in (0, 1)])
        many = highest.shape[axis]
        highest = np.max([padded.take(range(k, k + many), axis) for k in range(2 * _AROUND + 1)], axis=0)
    return highest

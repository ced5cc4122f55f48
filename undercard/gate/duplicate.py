"""Rejects a copy of a neighbouring keyframe; score: the largest difference anywhere, levels of 255.

Keyframes of a shot share their background and most of their fighters, so that hashes and mean differences call them
equal when one arm has moved. The largest difference of any spot does not: an arm that moves by a few pixels changes
some spot, while grain, compression and exposure change every spot a little.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undercard.gate import Evidence, Finding, Pixels

Spots: TypeAlias = NDArray[np.float32]

SPOTS_ACROSS = 128
"""A spot is 8 px at a width of 1024: about a fist at the far side of the ring."""
LEAST_DIFFERENCE = 6.0
"""Calibrated on previz frames against themselves: saved as JPEG of quality 90 up to 3.0, of quality 60 up to 4.0, grain
of 6 levels up to 3.2; one fighter moved by 5 mm in the widest shot at 512×288 23, by 2 cm 66."""
MOST_DIFFERENT = 255.0


class Duplicate:
    """Compares with each neighbour."""

    name = "duplicate"
    # A neighbour; a keyframe seldom has more than three.
    cost = 0.01

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when some spot differs from every neighbour."""
        differences = [largest_difference(evidence.pixels, neighbour) for neighbour in evidence.neighbours]
        score = min(differences, default=MOST_DIFFERENT)
        passed = score >= LEAST_DIFFERENCE
        cause = (
            "the same picture as another keyframe of the shot, though its staging differs:"
            f" no spot differs by more than {score:.1f} of 255 levels, {LEAST_DIFFERENCE} are needed"
        )
        return Finding(
            check=self.name, score=score, threshold=LEAST_DIFFERENCE, passed=passed, cause="" if passed else cause
        )


def largest_difference(first: Pixels, second: Pixels) -> float:
    """Return how much the most different spot differs, in levels, after evening out the brightness."""
    height, width = first.shape[:2]
    grid = SPOTS_ACROSS, max(1, round(SPOTS_ACROSS * height / width))
    difference = _spots(first, grid) - _spots(second, grid)
    return float(np.abs(difference - difference.mean()).max())


def _spots(pixels: Pixels, grid: tuple[int, int]) -> Spots:
    grey = Image.fromarray(pixels).convert("L")
    return np.asarray(grey.resize(grid, Image.Resampling.BOX)).astype(np.float32)


CHECK = Duplicate()

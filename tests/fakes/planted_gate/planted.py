"""A check for faults that no real one of these tests can see: it reads them from a mark in the picture's corner."""

from __future__ import annotations

import numpy as np

from undercard.gate.contract import Fault, Finding
from undercard.gate.evidence import Evidence

SIDE = 6
"""Pixels of a mark."""
MARKS = {
    "tiled": ((255, 0, 255), Fault.TILED),
    "pose": ((0, 255, 255), Fault.WRONG_POSE),
    "swapped": ((255, 255, 0), Fault.SWAPPED),
    "jump": ((0, 255, 0), Fault.JUMP),
}


class Planted:
    """Looks for a mark."""

    name = "planted"
    cost = 0.0

    def examine(self, evidence: Evidence) -> Finding:
        corner = evidence.pixels[:SIDE, :SIDE].reshape(-1, 3)
        for colour, fault in MARKS.values():
            if (corner == colour).all():
                cause = f"{fault}: a mark of {np.asarray(colour).tolist()}"
                return Finding(check=self.name, score=1.0, threshold=0.5, passed=False, cause=cause, fault=fault)
        return Finding(check=self.name, score=0.0, threshold=0.5, passed=True, cause="")


CHECK = Planted()

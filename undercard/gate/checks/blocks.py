"""Rejects a picture with the blocks of a JPEG; score: how far smooth places step from block to block, levels."""

from __future__ import annotations

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.grid import BLOCK, block_step_of
from undercard.gate.thresholds import threshold


class Blocks:
    """Looks for a grid of steps."""

    name = "blocks"
    cost = 0.005

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when blocks are not there, or no coarser than a good JPEG's."""
        row = threshold(self.name, evidence.backend)
        score, region = evidence.once(block_step_of)
        cause = f"blocky: steps of {score:.1f} of 255 levels every {BLOCK} pixels, as of a JPEG; {row.limit} may be"
        return row.finding(score, cause, region)


CHECK = Blocks()

"""Rejects a picture in too few levels; score: how far apart the levels lie that it uses, 1 for all of them."""

from __future__ import annotations

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.levels import spacing_of
from undercard.gate.thresholds import threshold


class Banding:
    """Looks for gaps in the histogram."""

    name = "banding"
    cost = 0.001

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when levels follow each other closely."""
        row = threshold(self.name, evidence.backend)
        score = evidence.once(spacing_of)
        cause = f"banded: it uses every {score:.1f}th level only, {row.limit} may lie between"
        return row.finding(score, cause)


CHECK = Banding()

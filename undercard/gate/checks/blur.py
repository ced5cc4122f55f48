"""Rejects a soft picture; score: how sharp its sharpest tenth is, 0 for fog, about 1 for drawn edges."""

from __future__ import annotations

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.sharpness import sharpness_of
from undercard.gate.thresholds import threshold


class Blur:
    """Measures sharpness tile by tile."""

    name = "blur"
    cost = 0.006

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when something in the picture is sharp."""
        row = threshold(self.name, evidence.backend)
        score = evidence.once(sharpness_of)
        cause = f"nothing is in focus: sharpness {score:.3f}, at least {row.limit} is needed"
        return row.finding(score, cause)


CHECK = Blur()

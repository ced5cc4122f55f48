"""Rejects a copy of a neighbouring keyframe; score: the largest difference of any spot, levels of 255."""

from __future__ import annotations

from undercard.gate import Evidence, Fault, Finding
from undercard.gate._spots import MOST_DIFFERENT, largest_difference
from undercard.gate._thresholds import threshold


class Duplicate:
    """Compares with each neighbour."""

    name = "duplicate"
    # A neighbour; a keyframe seldom has more than one.
    cost = 0.01

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when some spot differs from every neighbour."""
        row = threshold(self.name, evidence.backend)
        differences = [largest_difference(evidence.pixels, neighbour) for neighbour in evidence.neighbours]
        score = min(differences, default=MOST_DIFFERENT)
        cause = (
            "the same picture as another keyframe of the shot, though its staging differs:"
            f" no spot differs by more than {score:.1f} of 255 levels, {row.limit} are needed"
        )
        return row.finding(score, Fault.REPEATED, cause)


CHECK = Duplicate()

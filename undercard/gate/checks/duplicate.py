"""Rejects a copy of a neighbouring keyframe; score: the largest difference of any spot, levels of 255."""

from __future__ import annotations

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.spots import MOST_DIFFERENT, largest_difference
from undercard.gate.thresholds import threshold


class Duplicate:
    """Compares with each neighbour."""

    name = "duplicate"
    # A neighbour; a keyframe seldom has more than one.
    cost = 0.002

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when some spot differs from every neighbour."""
        row = threshold(self.name, evidence.backend)
        if _should_be_alike(evidence, row.limit):
            return row.finding(MOST_DIFFERENT, "")
        thumbnail = evidence.thumbnail
        differences = [
            largest_difference(thumbnail(evidence.pixels), thumbnail(neighbour)) for neighbour in evidence.neighbours
        ]
        score = min(differences, default=MOST_DIFFERENT)
        cause = (
            "the same picture as another keyframe of the shot, though its staging differs:"
            f" no spot differs by more than {score:.1f} of 255 levels, {row.limit} are needed"
        )
        return row.finding(score, cause)


def _should_be_alike(evidence: Evidence, limit: float) -> bool:
    """Say whether the two keyframes look alike as they are staged: what differs is out of the picture.

    The previz draws what is staged, so that its pictures only repeat each other where they should.
    """
    if evidence.draws_itself:
        return True
    control, before_control = evidence.control, evidence.before_control
    if control is None or before_control is None:
        return False
    return largest_difference(evidence.thumbnail(control), evidence.thumbnail(before_control)) < limit


CHECK = Duplicate()

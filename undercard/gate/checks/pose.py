"""Rejects a fighter who does not do what he should; score: the share of his joints that are in place, of the worst.

A mirrored pose is a wrong one, and so is an orthodox fighter's from a southpaw. Joints that something hides have no
say, nor those that cannot be read in the control image.
"""

from __future__ import annotations

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.people import Fighter, cast_of, region
from undercard.gate.thresholds import threshold
from undercard.gate.vision.pose import JOINTS

LEAST_TRUSTED = 6
"""Joints that can be read of one whose pose is judged: of five, two that a light takes away are no other pose."""
SIDES = 0.4
"""Of the joints that are out of place, those that are only exchanged, left for right, where that is what is wrong."""
FEW = 4
"""Joints that are named; of more, how many."""


class WrongPose:
    """Compares the joints with the shot's."""

    name = "pose"
    cost = 0.26

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when everybody who is there does what he should; abstain when somebody cannot be read."""
        row = threshold(self.name, evidence.backend)
        cast = cast_of(evidence)
        there = [] if cast is None else [one for one in cast.fighters if one.readable and not one.missing]
        rated = [one for one in there if one.reading.trusted.sum() >= LEAST_TRUSTED]
        worst = min(rated, key=lambda one: one.fit, default=None)
        everybody = cast is not None and cast.complete and len(rated) == len(there)
        if worst is None or (row.passes(worst.fit) and not everybody):
            return row.abstention(1.0 if worst is None else worst.fit)
        return row.finding(worst.fit, _cause(worst, row.limit), region(worst.target.box, evidence.pixels))


def _cause(fighter: Fighter, least: float) -> str:
    name, seen = fighter.target.name, fighter.reading
    off = [joint for joint, trusted, held in zip(JOINTS, seen.trusted, seen.held, strict=True) if trusted and not held]
    if off and seen.exchanged.sum() >= SIDES * len(off):
        return f"{name} stands the wrong way round: left and right are exchanged, fit {fighter.fit:.0%}"
    many = int(seen.trusted.sum())
    named = ", ".join(off) if 0 < len(off) <= FEW else f"{len(off)} of {many} joints"
    # The fit is of all looks at him, the joints are of one.
    return f"{name} is in another pose: {named} out of place, fit {fighter.fit:.0%}, {least:.0%} is needed"


CHECK = WrongPose()

"""Rejects a fighter who does not do what he should; score: PCK of the worst, as `adherence.Adherence.fit` has it.

A mirrored pose is a wrong one, and so is an orthodox fighter's from a southpaw. Joints that something hides have no
say.
"""

from __future__ import annotations

from undercard.gate import Evidence, Finding
from undercard.gate._people import Fighter, cast_of, region
from undercard.gate._thresholds import threshold
from undercard.vision.adherence import Adherence

SIDES = 0.2
"""How much better the pose fits with left and right exchanged when that is what is wrong with it."""
FEW = 4
"""Joints that are named; of more, how many."""


class WrongPose:
    """Compares the joints with the shot's."""

    name = "pose"
    cost = 0.26

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when everybody who can be read does what he should, or when nobody said what."""
        row = threshold(self.name, evidence.backend)
        cast = cast_of(evidence)
        rated = [] if cast is None else [(one.best.fit, one, one.best) for one in cast.fighters if one.best is not None]
        if not rated:
            return row.finding(1.0, "")
        score, worst, best = min(rated, key=lambda each: each[0])
        where = region(worst.target.box if worst.person is None else worst.person.box, evidence.pixels)
        return row.finding(score, _cause(worst, best, row.limit), where)


def _cause(fighter: Fighter, best: Adherence, least: float) -> str:
    name = fighter.target.name
    if best.mirrored_pck >= best.pck + SIDES:
        return f"{name} stands the wrong way round: left and right are exchanged, {best.pck:.0%} of his joints fit"
    named = ", ".join(best.off) if len(best.off) <= FEW else f"{len(best.off)} joints"
    seen = int(fighter.target.seen.sum())
    return f"{name} is in another pose: {named} out of place, {best.pck:.0%} of {seen} joints fit, {least:.0%} must"


CHECK = WrongPose()

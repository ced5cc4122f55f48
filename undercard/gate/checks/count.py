"""Rejects a picture in which a fighter is missing; score: how many are.

Who can be seen plainly in the control image should be in the picture, in whatever pose; see `stranger` for who should
not.
"""

from __future__ import annotations

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.people import cast_of, region
from undercard.gate.thresholds import threshold


class Count:
    """Looks for everybody who should be there."""

    name = "count"
    cost = 0.25

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when everybody who can be read is there; abstain when somebody cannot be read."""
        row = threshold(self.name, evidence.backend)
        cast = cast_of(evidence)
        missing = [] if cast is None else [one.target for one in cast.fighters if one.readable and one.missing]
        if cast is None or not (missing or cast.complete):
            return row.abstention(0.0)
        cause = "; ".join(f"{target.name} is missing: nobody stands where he should" for target in missing)
        where = region(missing[0].box, evidence.pixels) if missing else None
        return row.finding(len(missing), cause, where)


CHECK = Count()

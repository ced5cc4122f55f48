"""Rejects a picture with somebody too many; score: how many kinds of joints are nobody's, weighted by how sure each is.

What is a joint of the control image, or near one that a fighter should have, is somebody's. Who is in another pose has
joints where nobody should have them as well, but lacks as many where he should: what is missed is taken off.
"""

from __future__ import annotations

from collections.abc import Sequence

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.people import cast_of, region
from undercard.gate.thresholds import threshold
from undercard.gate.vision.heat import KINDS, Peak
from undercard.gate.vision.pose import Box

LEAST_BODY = 0.25
"""Heat of head, shoulder and hip of somebody: strangers of even seeds have from 0.33, limbs too many up to 0.18, which
are for `limbs` to find."""
ROOM = 0.12
"""Of the longer side of the box around the joints."""


class Stranger:
    """Looks for bodies that should not be there."""

    name = "stranger"
    cost = 0.255

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when nobody else is there; abstain where no body can be read, or nobody said who should be."""
        row = threshold(self.name, evidence.backend)
        cast = cast_of(evidence)
        if cast is None or not cast.readable:
            return row.abstention(0.0)
        extra = cast.surplus
        where = region(_body(extra.box), evidence.pixels) if extra.box else None
        score = max(extra.score, 0.0) if extra.body >= LEAST_BODY else 0.0
        return row.finding(score, _cause(extra.peaks), where)


def _body(joints: Box) -> Box:
    """Return about where the body is that has such *joints*: a head is more than its face."""
    left, top, right, bottom = joints
    room = ROOM * max(right - left, bottom - top)
    return left - room, top - room, right + room, bottom + room


def _cause(peaks: Sequence[Peak]) -> str:
    kinds = [KINDS[kind][0] for kind in sorted({peak.kind for peak in peaks})]
    return f"somebody is there who should not be: {_listed(kinds)} of none of the fighters"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([*([", ".join(words[:-1])] if words[1:] else []), *words[-1:]])


CHECK = Stranger()

"""Rejects fighters who wear each other's colours; score: 1 as they should be, -1 exchanged, 0 as near to either.

What counts is how the two differ, in trunks and in gloves: a light that tints both alike does not move it, and neither
does a model's taste. Where their looks hardly differ, only one can be read, or the control image itself does not tell
them apart, as in the dark, nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from undercard.domain.staging import Look
from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.people import Cast, Fighter, cast_of, region, same_size
from undercard.gate.pictures import Pixels
from undercard.gate.thresholds import threshold
from undercard.gate.vision.colour import Lab, lab, worn
from undercard.gate.vision.networks import Floats

LIGHTNESS = 0.3
"""Weight of L* beside a* and b*: one stands in the other's shadow."""
LEAST_APART = 25.0
"""CIE L*a*b*, lightness so weighted: between what the two should wear. Reds are 20 apart, red and blue 115."""
LEAST_DRAWN = 0.3
"""Share of the asked difference that the control image has of two who can be told apart by it."""
LEAST_FIT = 0.5
"""Share of the joints in place of one who is where they are looked for. In another pose they lie on anything, and
`pose` tells that."""


class Corner:
    """Compares the difference between two fighters' colours with what it should be."""

    name = "corner"
    cost = 0.27

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when each of two wears his own colours; abstain when that cannot be told."""
        row = threshold(self.name, evidence.backend)
        cast = cast_of(evidence)
        looks = {} if evidence.staging is None else {one.name: one.look for one in evidence.staging.fighters}
        pair = _pair(cast, looks)
        if pair is None:
            return row.abstention(1.0)
        first, second = pair
        # A wrist that is found a hand's breadth off shows skin in place of a glove: where he should be counts as well.
        places = ([(one, one.reading.xy) for one in pair], [(one, one.target.xy) for one in pair])
        scores = [_likeness(evidence.pixels, each, looks) for each in places]
        score = max((score for score in scores if score is not None), default=None)
        if score is None:
            return row.abstention(1.0)
        names = f"{first.target.name} and {second.target.name}"
        cause = f"{names} wear each other's colours: likeness {score:.2f}, where 1 is their own and -1 the other's"
        finding = row.finding(score, cause, region(first.target.box, evidence.pixels))
        return finding if finding.passed or _told_apart(evidence, pair, looks) else row.abstention(1.0)


def _pair(cast: Cast | None, looks: Mapping[str, Look]) -> tuple[Fighter, Fighter] | None:
    """Return the two whose colours can be read, if there are two."""
    fighters = () if cast is None else cast.fighters
    plain = [one for one in fighters if one.readable and one.fit >= LEAST_FIT and one.target.name in looks]
    return (plain[0], plain[1]) if len(plain) == 2 else None


def _told_apart(evidence: Evidence, pair: tuple[Fighter, Fighter], looks: Mapping[str, Look]) -> bool:
    """Say whether the control image shows the colours of *pair* as they should be."""
    if evidence.control is None:
        return False
    control = same_size(evidence.control, evidence.pixels)
    drawn = _likeness(control, [(one, one.target.xy) for one in pair], looks)
    return drawn is not None and drawn >= LEAST_DRAWN


def _likeness(pixels: Pixels, pair: Sequence[tuple[Fighter, Floats]], looks: Mapping[str, Look]) -> float | None:
    """Return the share of the asked difference that *pixels* have, in trunks and gloves; None where there is none.

    Args:
        pixels: the picture.
        pair: the two, each with where his joints are.
        looks: of each, by his name.
    """
    own, other = (worn(pixels, xy, one.target.seen & one.clear, one.target.height) for one, xy in pair)
    asked_own, asked_other = (looks[one.target.name] for one, _ in pair)
    pairs = [
        (own.trunks, other.trunks, asked_own.trunks, asked_other.trunks),
        (own.gloves, other.gloves, asked_own.gloves, asked_other.gloves),
    ]
    there, asked = 0.0, 0.0
    for mine, his, mine_asked, his_asked in pairs:
        if mine is not None and his is not None:
            should = _weighted(lab(mine_asked) - lab(his_asked))
            if np.linalg.norm(should) >= LEAST_APART:
                there += float(_weighted(mine - his) @ should)
                asked += float(should @ should)
    return there / asked if asked else None


def _weighted(difference: Lab) -> Lab:
    weighted: Lab = difference * np.array([LIGHTNESS, 1.0, 1.0])
    return weighted


CHECK = Corner()

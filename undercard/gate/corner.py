"""Rejects fighters who wear each other's colours; score: 1 as they should be, -1 exchanged, 0 as near to either.

What counts is how the two differ, in trunks and in gloves: a light that tints both alike does not move it, and neither
does a model's taste. Where their looks hardly differ, or only one can be read, nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from undercard.gate import Evidence, Finding
from undercard.gate._people import Cast, Fighter, cast_of, region
from undercard.gate._thresholds import threshold
from undercard.staging import Look
from undercard.vision.colour import Lab, Worn, lab, worn

LIGHTNESS = 0.3
"""Weight of L* beside a* and b*: one stands in the other's shadow."""
LEAST_APART = 25.0
"""CIE L*a*b*, lightness so weighted: between what the two should wear. Reds are 20 apart, red and blue 115."""
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
        score = _likeness(evidence, first, second, looks)
        if score is None:
            return row.abstention(1.0)
        names = f"{first.target.name} and {second.target.name}"
        cause = f"{names} wear each other's colours: likeness {score:.2f}, where 1 is their own and -1 the other's"
        box = first.target.box
        return row.finding(score, cause, region(box, evidence.pixels))


def _pair(cast: Cast | None, looks: Mapping[str, Look]) -> tuple[Fighter, Fighter] | None:
    """Return the two whose colours can be read, if there are two."""
    fighters = () if cast is None else cast.fighters
    plain = [one for one in fighters if one.readable and one.fit >= LEAST_FIT and one.target.name in looks]
    return (plain[0], plain[1]) if len(plain) == 2 else None


def _likeness(evidence: Evidence, first: Fighter, second: Fighter, looks: Mapping[str, Look]) -> float | None:
    """Return the share of the asked difference that is there, in trunks and gloves; None where hardly any is asked."""
    own, other = (_worn(evidence, one) for one in (first, second))
    asked_own, asked_other = looks[first.target.name], looks[second.target.name]
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


def _worn(evidence: Evidence, fighter: Fighter) -> Worn:
    clear = fighter.target.seen & fighter.clear
    return worn(evidence.pixels, fighter.reading.xy, clear, fighter.target.height)


def _weighted(difference: Lab) -> Lab:
    weighted: Lab = difference * np.array([LIGHTNESS, 1.0, 1.0])
    return weighted


CHECK = Corner()

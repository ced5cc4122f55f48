"""Rejects a fighter who has lost his colours; score: the worst change, 0 none, 1 hue lost or 60° off, 2 opposite.

His trunks and gloves are held to those of the control image, at the same joints and under the same light. Embeddings of
bodies do not tell previz boxers apart (0.83 the same, 0.78 another), and faces are too small in most shots: neither is
asked.
"""

from __future__ import annotations

import numpy as np

from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.colour import MIDDLE, colours, part_levels, weight
from undercard.gate.measures.grade import Grade, learnt
from undercard.gate.measures.people import Fighter, cast_of, is_unreadable, region, same_size
from undercard.gate.pictures import Pixels
from undercard.gate.thresholds import threshold
from undercard.gate.vision.colour import Lab, cloth

LEAST_CHROMA = 25.0
"""CIE a*b* at L* 50. What has less of it, in the picture and in the control image, is grey in both."""
LIGHTNESS = 0.3
"""Weight of L* beside a* and b*: cloth is in its own folds' shadow."""
LEAST_FIT = 0.7
"""Share of the joints in place of one who is where they are looked for."""
STEP = 0.025
"""Heights: how far round about his place the colours are looked for."""

CHANGED = 0.35
"""Share of trunks or gloves that has to be of another colour."""

_MOST = 2.0


class Identity:
    """Compares trunks and gloves with the control image's."""

    name = "identity"
    cost = 0.275

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when everybody wears what he should; abstain when that cannot be told."""
        row = threshold(self.name, evidence.backend)
        cast = cast_of(evidence)
        if cast is None or evidence.control is None:
            return row.abstention(0.0)
        control = same_size(evidence.control, evidence.pixels)
        # His light and the picture's grade change what his colours look like, and are for others to judge.
        grade = learnt(*(part_levels(evidence.thumbnail(each)) for each in (evidence.pixels, evidence.control)))
        changes = [
            (change, one, part)
            for one in cast.fighters
            if one.readable and one.fit >= LEAST_FIT
            for part, change in _changes(evidence.pixels, control, grade, one).items()
        ]
        if not changes:
            return row.abstention(0.0)
        score, worst, part = max(changes, key=lambda each: each[0])
        cause = f"{worst.target.name}'s {part} have lost their colour: {score:.2f} off, at most {row.limit:g} may be"
        finding = row.finding(score, cause, region(worst.target.box, evidence.pixels))
        # Bands and blocks take colours as well, and are rejected as what they are.
        return finding if finding.passed or not is_unreadable(evidence) else row.abstention(0.0)


def _changes(pixels: Pixels, control: Pixels, grade: Grade, fighter: Fighter) -> dict[str, float]:
    """Return the change of each part that can be seen: the least of where he is, where he should be, and round about.

    A wrist that is found a hand's breadth off puts the glove beside the glove, and a model moves a hip by as much.
    """
    target, clear = fighter.target, fighter.target.seen & fighter.clear
    asked = cloth(control, target.xy, clear, target.height)
    wanted = {"trunks": colours(grade(asked.trunks)), "gloves": colours(grade(asked.gloves))}
    changes: dict[str, float] = {}
    steps = np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)], np.float32) * (STEP * target.height)
    for xy in (fighter.reading.xy, *(target.xy + step for step in steps)):
        found = cloth(pixels, xy, clear, target.height)
        for part, levels in (("trunks", found.trunks), ("gloves", found.gloves)):
            shown = np.isfinite(levels[:, 0]) & np.isfinite(wanted[part][:, 0])
            if shown.any():
                change = _change(colours(levels[shown]), wanted[part][shown])
                changes[part] = min(change, changes.get(part, _MOST))
    return changes


def _change(found: Lab, asked: Lab) -> float:
    """Return how far colours have moved, over the stronger chroma of the two, where they have moved most.

    What is dark moves less: its chroma counts for as much more as a difference does there. A stripe is as white as it
    was when the cloth beside it is another: what all but CHANGED of the cells stay below is the change.
    """
    darker = np.minimum(np.minimum(found[:, 0], asked[:, 0]), MIDDLE)
    strongest = np.maximum(*(np.linalg.norm(each[:, 1:], axis=1) for each in (found, asked)))
    moved = np.linalg.norm((found - asked) * (LIGHTNESS, 1.0, 1.0), axis=1)
    changes = moved / np.maximum(strongest, LEAST_CHROMA / weight(darker))
    return float(np.quantile(changes, 1.0 - CHANGED))


CHECK = Identity()

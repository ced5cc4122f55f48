"""A picture held to the one that it was drawn from: which joints stayed, which are gone, and which are nobody's.

Of each joint it is asked what the network sees in both pictures. Where it sees nothing in the control image, with the
fighter right there, it cannot say anything of the picture either: so poses on the floor, clinches and views from above
are judged by those joints of theirs that it can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from undercard.gate.vision.adherence import MIRRORED, REACH, Flags, Target
from undercard.gate.vision.heat import KIND_OF, KINDS, Heat, Peak, inside
from undercard.gate.vision.networks import Floats
from undercard.gate.vision.pose import Box

TRUSTED = 0.25
"""Heat in the control image of a joint that can be read."""
HELD = 0.5
"""Heat of a joint that stayed, over what it is in the control image."""
LEAST_HELD = 0.1
SIDES = 0.1
"""By how much one side's heat passes the other's where left can be told from right."""
UNEXPLAINED = 0.1
"""Heat in the control image where there is no joint of that kind."""
NEAR = 0.12
"""Heights of a fighter: so near to a joint of his, another of its kind is taken for his."""
MISSED = 0.5
"""Weight of a joint that is missed against one too many: a stranger hides joints of those whom he stands before."""
BODY = (0, 1, 4)
"""Kinds of joints that a limb has none of: head, shoulder, hip."""
LARGEST = 1.3
"""Of a close-up's fighter, who is taller than the picture: heights of what is seen of him that NEAR goes by."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the network sees of one who should be there."""

    target: Target
    trusted: Flags
    """Shape (17,): seen, and the network reads it in the control image."""
    held: Flags
    """Shape (17,): of those, which are where they should be."""
    exchanged: Flags
    """Shape (17,): of the trusted ones, which have their opposite's look: left is right."""
    xy: Floats
    """Shape (17, 2), px: where those that were held were found, the others where they should be."""
    heat: Floats
    """Shape (17,): how sure the network is of each."""

    @property
    def fit(self) -> float:
        """Return the share of the trusted joints that were held; 1 where none is trusted."""
        return float(self.held.sum() / self.trusted.sum()) if self.trusted.any() else 1.0


@dataclass(frozen=True, slots=True)
class Surplus:
    """What is there of a body that nobody should have."""

    score: float
    """How many kinds of joints are nobody's, by their heat, less those that are missed: about 0 to 7."""
    peaks: tuple[Peak, ...]
    """Where they are."""

    @property
    def body(self) -> float:
        """How sure it is that these are a body's and no mere limbs': the heat of head, shoulder and hip, 0 to 3."""
        return _kinds([peak for peak in self.peaks if peak.kind in BODY])

    @property
    def box(self) -> Box | None:
        """Around the peaks; None without one."""
        if not self.peaks:
            return None
        xs, ys = [peak.x for peak in self.peaks], [peak.y for peak in self.peaks]
        return min(xs), min(ys), max(xs), max(ys)


def reading(seen: Heat, asked: Heat, target: Target, clear: Flags) -> Reading:
    """Return what became of the joints of *target*.

    Args:
        seen: of the picture.
        asked: of its control image.
        target: who should be there.
        clear: shape (17,): joints about which the picture is not burnt out.
    """
    radius = REACH * target.height
    trusted, held, exchanged = (np.zeros(17, bool) for _ in range(3))
    xy, heat = target.xy.copy(), np.zeros(17, np.float32)
    for joint in map(int, np.flatnonzero(target.seen & clear)):
        x, y = (float(value) for value in target.xy[joint])
        should = asked.near(joint, x, y, radius)
        if should.heat < TRUSTED:
            continue
        trusted[joint] = True
        found = seen.near(joint, x, y, radius)
        heat[joint] = found.heat
        opposite = int(MIRRORED[joint])
        told = should.heat - asked.near(opposite, x, y, radius).heat > SIDES
        exchanged[joint] = told and seen.near(opposite, x, y, radius).heat - found.heat > SIDES
        held[joint] = found.heat >= max(LEAST_HELD, HELD * should.heat) and not exchanged[joint]
        if held[joint]:
            xy[joint] = found.x, found.y
    return Reading(target, trusted, held, exchanged, xy, heat)


def surplus(seen: Heat, asked: Heat, targets: Sequence[Target]) -> Surplus:
    """Return what of a body is in the picture that is neither in its control image nor any of *targets*'.

    What is missed counts against it: who is in another pose has as many joints too many as too few.
    """
    tallest = _tallest(targets, seen)
    extra = [peak for peak in seen.peaks() if not _explained(peak, targets, tallest) and _new(peak, asked, tallest)]
    peaks = _together(extra, tallest)
    missed = [peak for peak in asked.peaks() if _new(peak, seen, tallest)]
    return Surplus(_kinds(peaks) - MISSED * _kinds(missed), tuple(peaks))


def presence(seen: Heat, asked: Heat, target: Target, others: Sequence[Target]) -> float:
    """Return how much of somebody is where *target* should be: heat of his kinds of joints, over the control image's.

    What is nearer to the joints of *others* is theirs.
    """

    def his(peaks: Heat) -> float:
        margin = REACH * target.height
        near = [peak for peak in peaks.peaks() if inside(peak, target.box, margin)]
        return _kinds([peak for peak in near if not any(_nearer(peak, other, target) for other in others)])

    should = his(asked)
    return his(seen) / should if should > 0.0 else 1.0


def _tallest(targets: Sequence[Target], seen: Heat) -> float:
    """Return the height of the tallest as far as he is in the picture, px; without anybody the picture's own."""
    boxes = [target.box for target in targets if target.in_frame.any()]
    return max((max(box[2] - box[0], box[3] - box[1]) for box in boxes), default=seen.maps.shape[1] * seen.cell)


def _explained(peak: Peak, targets: Sequence[Target], tallest: float) -> bool:
    return any(_apart(peak, target) <= NEAR * min(target.height, LARGEST * tallest) for target in targets)


def _apart(peak: Peak, target: Target) -> float:
    """Return how far *peak* is from the nearest joint of its kind, px."""
    return float(np.linalg.norm(target.xy[peak.kind == KIND_OF] - (peak.x, peak.y), axis=1).min())


def _nearer(peak: Peak, other: Target, target: Target) -> bool:
    return _apart(peak, other) < _apart(peak, target)


def _new(peak: Peak, before: Heat, tallest: float) -> bool:
    """Say whether *before* has nothing of its kind near."""
    radius = NEAR * tallest
    return all(before.near(joint, peak.x, peak.y, radius).heat < UNEXPLAINED for joint in KINDS[peak.kind][1])


def _together(peaks: Sequence[Peak], tallest: float) -> list[Peak]:
    """Return those of *peaks* that one body could have: of the places as large as the tallest, the one with most."""

    def around(middle: Peak) -> list[Peak]:
        return [peak for peak in peaks if max(abs(peak.x - middle.x), abs(peak.y - middle.y)) <= tallest * 0.75]

    return max((around(peak) for peak in peaks), key=_kinds, default=[])


def _kinds(peaks: Sequence[Peak]) -> float:
    """Return the sum over the kinds of joints of the hottest of *peaks*."""
    hottest: dict[int, float] = {}
    for peak in peaks:
        hottest[peak.kind] = max(peak.heat, hottest.get(peak.kind, 0.0))
    return sum(hottest.values())

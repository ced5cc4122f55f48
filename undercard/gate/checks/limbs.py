"""Rejects a picture in which somebody has an arm or a leg too many; score: how surely a place has one of them.

Everybody is where he should be, joint by joint, and beside that there is something in the colours of somebody's skin,
gloves or boots where the control image has nothing of the kind, and nothing of that hue is gone round about, as it is
where a model moved an arm: how much of a glove's size it fills, 0 to 1, and by how much more sure than in the control
image the network is of an elbow, a wrist, a knee or an ankle there. Beside a hand or a foot both count less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from undercard.domain.staging import Look
from undercard.gate.contract import Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.belongings import ANKLES, beside_all, own_colours
from undercard.gate.measures.people import BURNT_OUT, CRUSHED, Cast, Fighter, cast_of, is_unreadable, region, same_size
from undercard.gate.measures.view import View, view_of
from undercard.gate.pictures import Pixels
from undercard.gate.thresholds import threshold
from undercard.gate.vision.adherence import Flags, Target
from undercard.gate.vision.colour import FOREARMS
from undercard.gate.vision.heat import KINDS, Heat
from undercard.gate.vision.networks import Floats
from undercard.gate.vision.novelty import Tones, aligned, new_colours, opened, toned, tones, unexplained, weighed
from undercard.gate.vision.pose import Box

LEAST_FIT = 0.7
"""Share of the joints in place of one whose limbs are all accounted for: who is in another pose has them elsewhere."""
LEAST_SEEN = 3
"""Joints of one who has a say."""
MOST_BODY = 0.8
"""Heat of head, shoulder and hip that are nobody's: beyond it they are a stranger's, and so are the limbs."""
MOVED, EVEN = 0.08, 0.4
"""Heights by which he may stand elsewhere, and over which that changes little."""
REACH, AROUND = 0.03, 0.8
"""Heights by which an edge may lie elsewhere, and over which light is evened out."""
NEW = 8.0
"""Distance from the colours of the control image round about, CIE L*a*b* as `novelty` weighs them."""
MOST_NEW = 0.15
"""Share of the picture about him that is new where it is no longer the same picture, and nothing can be said."""
ALIKE, NEARER = 12.0, 0.8
"""Distance from a colour of his of what may be his, and that over the distance from the colours round about."""
LEAST_COLOURS = 3
MARGIN, EXPLAINED = 0.06, 6.0
"""Heights round about what may be his, and how far off it has to be from what other tones just there would make it."""
SMALLER = 3
"""How many times smaller than a thumbnail the pictures are whose tones are compared."""
ELSEWHERE, MOVED_SHARE = 0.5, 0.15
"""Heights within which a limb may have been before, and how much of it has to be gone there, over how much is new."""
HAD = 0.14
"""Heights about an elbow, wrist, knee or ankle of his within which it was; elsewhere, what is gone is hidden."""
GLOVE = 0.08
"""Heights: side of the square that is to be full of them."""
NEAR = 0.1
"""Heights round about it in which a joint is its own."""
BESIDE_END, DOUBTED = 0.13, 0.6
"""Heights from a wrist, a glove or an ankle within which that may be what is new, drawn elsewhere, and what new things
count there: nothing need be gone, as where another limb lay behind."""
TO_GLOVE = (1.0, 1.3)
"""Shares of the way from elbow to wrist at which the wrist and the middle of the glove are."""
LIMB_KINDS = (2, 3, 5, 6)
"""Kinds of joints: elbow, wrist, knee, ankle."""
LIMB_JOINTS = tuple(joint for kind in LIMB_KINDS for joint in KINDS[kind][1])


class Limbs:
    """Looks for limbs beside those that the control image has."""

    name = "limbs"
    cost = 0.28

    def examine(self, evidence: Evidence) -> Finding:
        """Pass when nobody has more limbs than he should; abstain where that cannot be told."""
        row = threshold(self.name, evidence.backend)
        people = cast_of(evidence)
        if people is None or evidence.control is None or not people.readable or not _accounted_for(people):
            return row.abstention(0.0)
        control = same_size(evidence.control, evidence.pixels)
        found = [_spot(evidence, control, people, one) for one in people.fighters]
        worst = max((each for each in found if each is not None), key=lambda each: each.score, default=None)
        if worst is None:
            return row.abstention(0.0)
        cause = f"{worst.name} has a limb too many: it scores {worst.score:.2f}, at most {row.limit:g} may be"
        finding = row.finding(worst.score, cause, region(worst.box, evidence.pixels))
        return finding if finding.passed or not is_unreadable(evidence) else row.abstention(0.0)


@dataclass(frozen=True, slots=True)
class _Spot:
    """The place that has most of what may be a limb too many."""

    name: str
    """Whose."""
    score: float
    box: Box


def _accounted_for(people: Cast) -> bool:
    """Say whether everybody who can be read is there and as he should be, and nobody else's body is."""
    as_asked = all(one.fit >= LEAST_FIT and not one.missing for one in people.fighters if one.readable)
    return as_asked and people.surplus.body <= MOST_BODY


def _spot(evidence: Evidence, control: Pixels, people: Cast, one: Fighter) -> _Spot | None:
    """Return where a limb of *one* is too many, if any; None where nothing can be said of him."""
    if one.target.seen.sum() < LEAST_SEEN:
        return None
    view = view_of(one.target, evidence.pixels)
    changes = _changes(evidence, view, view.shown(control), one.target, [each.target for each in people.fighters])
    if changes is None:
        return None
    side = max(2, round(GLOVE * view.tall))
    full = _filled(changes.new, side)
    row, column = np.unravel_index(int(full.argmax()), full.shape)
    share = float(full[row, column])
    length = side * view.scale
    x, y = view.left + (int(column) + side / 2) * view.scale, view.top + (int(row) + side / 2) * view.scale
    name, box = one.target.name, (x - length, y - length, x + length, y + length)
    if share == 0.0 or changes.gone_near(int(row), int(column), side, ELSEWHERE * view.tall) > MOVED_SHARE * share:
        return _Spot(name, 0.0, box)
    score = share + _surer(people, x, y, NEAR * view.tall * view.scale)
    return _Spot(name, score * DOUBTED if _beside_an_end(people, x, y) else score, box)


@dataclass(frozen=True, slots=True)
class _Changes:
    """What became of a fighter's colours, in the pixels of his view."""

    new: Flags
    """Where the picture has one of them and its control image has not, shape (height, width)."""
    colours: Floats
    """Of the picture, as `novelty.weighed` has them, shape (height, width, 3)."""
    gone: Flags
    """Where the control image has an arm or a leg of his, and the picture not its colour, shape (height, width)."""
    known: Floats
    """Of the control image."""

    def gone_near(self, row: int, column: int, side: int, reach: float) -> float:
        """Return how much of a square within *reach* px of that at *row* and *column* lost the hue that is new there.

        A limb that moved was somewhere before, in whatever light, and one too many was nowhere.
        """
        here = np.s_[row : row + side, column : column + side]
        colour = np.median(self.colours[here][self.new[here]], axis=0)
        away = int(reach)
        about = np.s_[max(0, row - away) : row + side + away, max(0, column - away) : column + side + away]
        same = self.gone[about] & (np.linalg.norm((self.known[about] - colour)[..., 1:], axis=2) < ALIKE)
        return float(_filled(same, side).max())


def _changes(
    evidence: Evidence, view: View, drawn: Pixels, target: Target, everybody: Sequence[Target]
) -> _Changes | None:
    """Return what became of his colours; None where too little is known of them, or the picture is another one."""
    moved = aligned(toned(view.shown(evidence.pixels), evidence.once(_tones)), drawn, MOVED * view.tall, view.odd(EVEN))
    new, colours = new_colours(moved, drawn, max(1, round(REACH * view.tall)), view.odd(AROUND))
    marked = new > NEW
    if marked.mean() > MOST_NEW:
        return None
    grey = moved.mean(axis=2)
    marked = opened(marked & (grey >= CRUSHED) & (grey <= BURNT_OUT))
    if not marked.any():
        return _Changes(marked, colours, marked, colours)
    bodies = [(view.at(one.xy), one.height / view.scale) for one in everybody]
    beside = beside_all((drawn.shape[1], drawn.shape[0]), bodies)
    own = own_colours(drawn, view.at(target.xy), target.seen, _look(evidence, target.name), beside)
    if len(own) < LEAST_COLOURS:
        return None
    apart = np.linalg.norm(colours[marked][:, None] - own, axis=2).min(axis=1)
    marked[marked] = (apart < ALIKE) & (apart < NEARER * new[marked])
    marked = unexplained(opened(marked), colours, weighed(drawn), round(MARGIN * view.tall), EXPLAINED)
    lost, known = new_colours(drawn, moved, max(1, round(REACH * view.tall)), view.odd(AROUND))
    was = _about(view.at(target.xy)[list(LIMB_JOINTS)], HAD * view.tall, marked.shape)
    return _Changes(marked, colours, opened((lost > NEW) & was), known)


def _about(places: Floats, radius: float, shape: tuple[int, ...]) -> Flags:
    """Return what is within *radius* px of one of *places*, shape (n, 2), in a view of *shape* (height, width)."""
    image = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(image)
    for x, y in places:
        draw.circle((float(x), float(y)), radius, fill=255)
    return np.asarray(image) > 0


def _tones(evidence: Evidence) -> Tones:
    """Return how the picture's tones become its control image's."""
    assert evidence.control is not None
    small = [evidence.thumbnail(each) for each in (evidence.pixels, evidence.control)]
    size = (small[1].width // SMALLER, small[1].height // SMALLER)
    pair = [np.asarray(each.resize(size, Image.Resampling.BOX)) for each in small]
    return tones(pair[0], pair[1])


def _look(evidence: Evidence, name: str) -> Look | None:
    fighters = evidence.staging.fighters if evidence.staging is not None else ()
    return next((one.look for one in fighters if one.name == name), None)


def _filled(marked: Flags, side: int) -> Floats:
    """Return how much of the square of *side* px that begins at each pixel is *marked*, 0 to 1."""
    side = min(side, *marked.shape)
    sums = np.pad(marked, ((1, 0), (1, 0))).cumsum(axis=0, dtype=np.int32).cumsum(axis=1)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return np.asarray(inside / side**2, np.float32)


def _beside_an_end(people: Cast, x: float, y: float) -> bool:
    """Say whether a hand or a foot that somebody should have is near *x* and *y*, px of the picture."""
    for target in (one.target for one in people.fighters):
        xy = target.xy
        gloves = [xy[elbow] + (xy[wrist] - xy[elbow]) * share for elbow, wrist in FOREARMS for share in TO_GLOVE]
        away = np.linalg.norm([*gloves, *xy[list(ANKLES)]] - np.array([x, y]), axis=1)
        if away.min() < BESIDE_END * target.height:
            return True
    return False


def _surer(people: Cast, x: float, y: float, radius: float) -> float:
    """Return by how much hotter a joint of a limb is there than in the control image, at most, from 0."""

    def hottest(heat: Heat, kind: int) -> float:
        return max(heat.near(joint, x, y, radius).heat for joint in KINDS[kind][1])

    return max(0.0, *(hottest(people.seen, kind) - hottest(people.drawn, kind) for kind in LIMB_KINDS))


CHECK = Limbs()

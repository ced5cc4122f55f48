"""Who is in a picture, against who should be: what the checks that look at people share.

Their networks run once a picture, however many checks ask. What a network cannot read is not judged: a body seen along
its own axis, as from the truss, a body on the floor, one that another hides. Those abstain, they do not pass judgement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

import numpy as np
from PIL import Image

from undercard.errors import BadInput
from undercard.gate import Evidence, Pixels, Region
from undercard.gate._evidence import PREVIZ
from undercard.vision.adherence import Adherence, Target, adherence, who_is_who
from undercard.vision.networks import Floats
from undercard.vision.pose import Box, Person, find_people, look_closely, overlap, same_person

SHOULDERS_HIPS = (5, 6, 11, 12)
MANY_SEEN = 8
"""Seen joints of somebody who can be judged. This and what follows is chosen on previz fighters: of those whom it lets
through in 200 stagings, one had a PCK below 0.7; of those whom it leaves out, about a third (the first 78 stagings)."""
MOST_TILT = 30.0
"""Degrees of the trunk from upright."""
TRUNK = (0.2, 0.4)
"""Length of the trunk over the height: about 0.29 of one who stands, less seen from above, more of one who squats."""
MOST_SHARED = 0.5
"""Overlap with another fighter's box; more is a clinch."""
LEAST_HEIGHT = 80.0
"""Pixels. Smaller people are not found reliably."""
LEAST_PICTURE = 160
"""Pixels of the picture's height."""
PRESENT = 0.2
"""Score of a person who is there, by MultiPose, or by the mean of Thunder's joints."""


@dataclass(frozen=True, slots=True)
class Fighter:
    """One who should be in the picture."""

    target: Target
    readable: bool
    """So much of him should be seen, and so plainly, that what the networks say of him can be believed."""
    person: Person | None
    """Who stands there, if anybody does."""
    best: Adherence | None
    """How well he does what he should, by the best of the ways to look at him."""
    closest: Person | None
    """The same look at him."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is in a picture."""

    fighters: tuple[Fighter, ...]
    """In the order of the keypoints."""
    strangers: tuple[Person, ...]
    """Who is found and should not be; of every size, so the crowd as well."""


@dataclass(frozen=True, slots=True)
class _Picture:
    """Pixels that compare and hash by their content."""

    digest: bytes
    pixels: Pixels = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Asked:
    digest: bytes
    targets: tuple[Target, ...] = field(compare=False)


def cast_of(evidence: Evidence) -> Cast | None:
    """Return who is in the picture, or None where that cannot be said or need not be.

    It cannot where nobody said who should be, nor in a picture as small as a thumbnail. It need not where the previz
    drew it: its keypoints are those of the same drawing, so that only the network could be wrong.

    Raises:
        BadInput: the keypoints are not those of `previz.maps.keypoints_json`.
    """
    small = evidence.pixels.shape[0] < LEAST_PICTURE
    if evidence.keypoints is None or evidence.backend == PREVIZ or small:
        return None
    targets = targets_of(evidence.keypoints, evidence.pixels)
    asked = b"".join(np.ascontiguousarray(part).tobytes() for t in targets for part in (t.xy, t.seen, t.in_frame))
    shape = repr(evidence.pixels.shape).encode()
    picture = _Picture(_digest(shape + np.ascontiguousarray(evidence.pixels).tobytes()), evidence.pixels)
    return _cast(picture, _Asked(_digest(asked), targets))


def targets_of(keypoints: Mapping[str, object], pixels: Pixels) -> tuple[Target, ...]:
    """Return where everybody should be in *pixels*, whatever size the keypoints were worked out for.

    Raises:
        BadInput: the keypoints are not those of `previz.maps.keypoints_json`.
    """
    written = cast("Mapping[str, Any]", keypoints)
    height, width = pixels.shape[:2]
    try:
        scale = np.array([width / written["width"], height / written["height"]], np.float32)
        return tuple(_target(entry["name"], list(entry["joints"].values()), scale) for entry in written["fighters"])
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as exc:
        raise BadInput(f"keypoints that cannot be read ({exc!r}); draw the keyframe's control images again") from exc


def region(box: Box, pixels: Pixels) -> Region:
    """Return the part of *box* that is inside the picture."""
    height, width = pixels.shape[:2]
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    right, bottom = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
    return left, top, max(0, right - left), max(0, bottom - top)


def same_size(control: Pixels, pixels: Pixels) -> Pixels:
    """Return *control* at the size of *pixels*."""
    height, width = pixels.shape[:2]
    if control.shape == pixels.shape:
        return control
    return np.asarray(Image.fromarray(control).resize((width, height), Image.Resampling.BOX))


def _target(name: str, joints: Sequence[Mapping[str, Any]], scale: Floats) -> Target:
    if len(joints) != 17:
        raise ValueError(f"{name} has {len(joints)} joints, not 17")
    xy = np.array([[joint["x"], joint["y"]] for joint in joints], np.float32) * scale
    seen = np.array([bool(joint["visible"]) for joint in joints])
    return Target(name, xy, seen, np.array([bool(joint["in_frame"]) for joint in joints]))


# A verdict asks four times; the picture before it is not asked for again.
@lru_cache(maxsize=2)
def _cast(picture: _Picture, asked: _Asked) -> Cast:
    pixels, targets = picture.pixels, asked.targets
    found = find_people(pixels)
    readable = [_readable(target, targets) for target in targets]
    # Thunder looks where each should be as well, for whom MultiPose has missed.
    there = [
        look_closely(pixels, target.box) if plain else None for target, plain in zip(targets, readable, strict=True)
    ]
    people = [person for person in found if person.score >= PRESENT]
    many = len(people)
    people = [*people, *(person for person in there if person is not None and person.score >= PRESENT)]
    matched = who_is_who(people, targets, same_person)
    fighters = []
    for index, target in enumerate(targets):
        person = people[matched[index]] if index in matched else None
        best, closest = None, None
        if readable[index] and person is not None:
            looks = [person, look_closely(pixels, person.box), there[index]]
            rated = [(adherence(look, target), look) for look in looks if look is not None]
            best, closest = max(rated, key=lambda pair: (pair[0].fit, pair[0].oks))
        fighters.append(Fighter(target, readable[index], person, best, closest))
    taken = [people[index] for index in matched.values()]
    others = [person for index, person in enumerate(people[:many]) if index not in matched.values()]
    return Cast(tuple(fighters), tuple(_strangers(pixels, others, taken)))


def _strangers(pixels: Pixels, others: Sequence[Person], known: Sequence[Person]) -> list[Person]:
    """Return those of *others* who are somebody else than *known*, also when Thunder looks at them.

    MultiPose finds a large fighter twice when its scales do not agree on his joints; Thunder sees that it is him.
    """
    if not others:
        return []
    closely = [*known, *(look_closely(pixels, person.box) for person in known)]
    strangers = []
    for person in others:
        looks = person, look_closely(pixels, person.box)
        if not any(same_person(look, other) for look in looks for other in closely):
            strangers.append(person)
            closely += looks
    return strangers


def _readable(target: Target, everybody: Sequence[Target]) -> bool:
    if target.seen.sum() < MANY_SEEN or target.height < LEAST_HEIGHT:
        return False
    trunk = target.xy[[5, 6]].mean(axis=0) - target.xy[[11, 12]].mean(axis=0)
    length = float(np.linalg.norm(trunk))
    tilt = float(np.degrees(np.arctan2(abs(trunk[0]), -trunk[1])))
    upright = TRUNK[0] <= length / target.height <= TRUNK[1] and tilt <= MOST_TILT
    alone = all(overlap(target.box, other.box) <= MOST_SHARED for other in everybody if other is not target)
    return upright and alone


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()

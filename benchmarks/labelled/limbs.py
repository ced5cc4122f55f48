"""Arms and legs that nobody has: where they are planted, and how plainly they can be seen.

What looks like what it lies before is not seen, however large: a yellow glove on yellow trunks is plain to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from benchmarks.labelled.labels import STRENGTHS
from undercard.domain.requests import Size
from undercard.domain.staging import Pose, Staging, Vec3
from undercard.gate.pictures import Pixels
from undercard.previz import poses
from undercard.previz.figure import figure
from undercard.previz.frame import Frame
from undercard.previz.limbs import End, Kind, Limb
from undercard.previz.mesh import Floats
from undercard.previz.render import DRAFT, draw
from undercard.previz.view import look_through

ARMS_SHARE = 0.7
"""Of the limbs; models draw an arm too many more often than a leg."""
JITTER_METRES = 0.12
"""Across each axis, at most, from where another pose of the library has the limb."""
TRACE, HALF, MUCH = 0.0015, 0.005, 0.009
"""Of the outer half of the limb, in squares of its fighter's height: a quarter of a glove, half a glove with its
forearm, nearly all of that."""
BESIDE, APART, WIDE_APART = 0.05, 0.12, 0.25
"""From the nearest wrist or ankle that somebody has, in heights of the fighter: two gloves touch, have room for a third
between them, are an arm's length apart."""
MOST_TRIED = 14
"""Limbs of a scene: every strength is found among so many where the camera shows enough of somebody."""
LEAST_CHANGE = 24
"""Levels of some channel, from the picture without it."""
SMALL_WIDTH = 256
# The joint before the limb's last one, and the last one, on the left: elbow and wrist, knee and ankle.
_OUTER = {"arm": (7, 9), "leg": (13, 15)}


@dataclass(frozen=True, slots=True)
class Extra:
    """A limb too many."""

    limb: Limb
    about: int
    """Index of the fighter who has it."""


def extras(staging: Staging, rng: np.random.Generator) -> Iterator[Extra]:
    """Yield limbs too many without end: each one of a fighter's, where another pose of the library has it."""
    names = poses.names()
    while True:
        about = int(rng.integers(len(staging.fighters)))
        kind: Kind = "arm" if rng.random() < ARMS_SHARE else "leg"
        end: End = "lead" if rng.random() < 0.5 else "rear"
        other = poses.pose(names[int(rng.integers(len(names)))])
        fighter = staging.fighters[about]
        yield Extra(Limb(replace(fighter, pose=_elsewhere(fighter.pose, other, kind, end, rng)), kind, end), about)


def planted(staging: Staging, good: Pixels, seed: int, rng: np.random.Generator) -> Iterator[tuple[int, Frame]]:
    """Yield a picture of *staging* with one limb too many at each strength that some of them has, and its strength.

    Args:
        staging: who stands where.
        good: the picture of it without a limb too many; the others are of its size.
        seed: of the pictures; it decides their grain.
        rng: decides the limbs.
    """
    height, width = good.shape[:2]
    small = (SMALL_WIDTH, round(SMALL_WIDTH * height / width))
    small_good = draw(staging, small, seed, DRAFT).image
    found: set[int] = set()
    for extra in islice(extras(staging, rng), MOST_TRIED):
        # A glance tells whether it is worth drawing; at the picture's own size it may be a little plainer or less so.
        glance = strength(draw(staging, small, seed, DRAFT, (extra.limb,)), small_good, staging, extra)
        if glance is None or glance in found:
            continue
        frame = draw(staging, (width, height), seed, limbs=(extra.limb,))
        plain = strength(frame, good, staging, extra)
        if plain is not None and plain not in found:
            found.add(plain)
            yield plain, frame
            if len(found) == len(STRENGTHS):
                return


def strength(frame: Frame, good: Pixels, staging: Staging, extra: Extra) -> int | None:
    """Return how plainly the one limb that *frame* has too many can be seen: 0 to 2; None where hardly at all.

    What counts is where its outer half, with the glove or the boot, looks otherwise than *good*, the picture without
    it: of a shoulder more nobody takes notice.
    """
    height, width = frame.fighters.shape
    joint, last = _outer(extra.limb, staging, (width, height))
    size = max(float(np.ptp(frame.keypoints[extra.about].xy, axis=0).max()), 1.0)
    changed = np.abs(frame.image.astype(np.int16) - good).max(axis=2) >= LEAST_CHANGE
    mine = np.argwhere(changed & (frame.fighters == len(staging.fighters) + 1))[:, ::-1] + 0.5
    outer = np.linalg.norm(mine - last, axis=1) < np.linalg.norm(mine - joint, axis=1)
    seen = int(outer.sum()) / size**2
    ends = np.concatenate([each.xy[list(_ends(extra.limb.kind))] for each in frame.keypoints])
    apart = float(np.linalg.norm(ends - last, axis=1).min()) / size
    if seen < TRACE or apart < BESIDE:
        return None
    return int(seen >= HALF and apart >= APART) + int(seen >= MUCH and apart >= WIDE_APART)


def _elsewhere(pose: Pose, other: Pose, kind: Kind, end: End, rng: np.random.Generator) -> Pose:
    place = "hand" if kind == "arm" else "foot"
    fields = (place, "elbow") if kind == "arm" else (place, "knee", "foot_turn")
    moved: dict[str, Vec3] = {f"{end}_{field}": getattr(other, f"{end}_{field}") for field in fields}
    x, y, z = np.add(moved[f"{end}_{place}"], rng.uniform(-JITTER_METRES, JITTER_METRES, 3))
    return replace(pose, **{**moved, f"{end}_{place}": (float(x), float(y), float(z))})


def _outer(limb: Limb, staging: Staging, size: Size) -> Floats:
    """Return where the limb's last two joints are, px, shape (2, 2)."""
    joints = figure(limb.fighter, None).joints
    right = (limb.end == "lead") != (limb.fighter.stance == "orthodox")
    chosen = joints[[joint + right for joint in _OUTER[limb.kind]]]
    return np.asarray(look_through(staging.camera, size).project(chosen)[:, :2], np.float32)


def _ends(kind: Kind) -> tuple[int, int]:
    last = _OUTER[kind][1]
    return last, last + 1

"""Defects that have to be drawn: a fighter in another pose, one too few or too many, each in the other's colours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from undercard.gate import Pixels
from undercard.labelled import scenes
from undercard.labelled.shoot import Shoot
from undercard.previz.frame import Frame, Keypoints
from undercard.previz.render import draw
from undercard.requests import SEED_LIMIT
from undercard.staging import Staging

LEAST_VISIBLE = 8
"""Joints of a fighter who can be missed; of an arm at the picture's edge nobody says that it is missing."""
MILD_SHIFT, MODERATE_SHIFT, SEVERE_SHIFT = 0.05, 0.12, 0.25
"""How far the joints of another pose lie from where they should, on average, as a share of the fighter's size."""


def drawn(shoot: Shoot) -> Iterator[tuple[str, int, Pixels]]:
    """Yield the name, the strength (0 mild … 2 severe) and the picture of each that the scene allows."""
    rng = np.random.default_rng([8, shoot.seed])
    now = shoot.scene.now
    target = _frame(shoot, now)
    other = _frame(shoot, scenes.with_other_pose(now, rng))
    shift = _largest_shift(target, other)
    if shift >= MILD_SHIFT:
        strength = int(shift >= MODERATE_SHIFT) + int(shift >= SEVERE_SHIFT)
        yield "wrong pose", strength, shoot.edit(other.image, 1)
    yield "mirrored", 1, shoot.picture[:, ::-1].copy()
    everyone = all(_visible(each) >= LEAST_VISIBLE for each in target.keypoints)
    if everyone:
        yield "missing fighter", 1, shoot.edit(_frame(shoot, scenes.without_one(now, rng)).image, 2)
        yield "swapped corners", 1, shoot.edit(_frame(shoot, scenes.with_looks_swapped(now)).image, 3)
    crowded = _frame(shoot, scenes.with_third(now, rng))
    if all(_visible(each) >= LEAST_VISIBLE for each in crowded.keypoints):
        yield "third fighter", 1, shoot.edit(crowded.image, 4)


def _frame(shoot: Shoot, staging: Staging) -> Frame:
    return draw(staging, shoot.size, SEED_LIMIT + shoot.seed)


def _visible(fighter: Keypoints) -> int:
    return int(fighter.visible.sum())


def _largest_shift(target: Frame, other: Frame) -> float:
    """Return how far the visible joints of the fighter who moved most have moved, as a share of his size."""
    shifts = [0.0]
    for should, does in zip(target.keypoints, other.keypoints, strict=True):
        seen = should.visible
        if seen.sum() >= LEAST_VISIBLE:
            span = float(np.ptp(should.xy[seen], axis=0).max())
            shifts.append(float(np.linalg.norm(should.xy[seen] - does.xy[seen], axis=1).mean()) / max(span, 1.0))
    return max(shifts)

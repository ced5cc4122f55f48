"""Defects that have to be drawn: other poses and colours, a fighter too few or too many, an arm or a leg too many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.labelled import limbs, scenes
from benchmarks.labelled.shoot import Shoot
from undercard.domain.requests import SEED_LIMIT
from undercard.domain.staging import Staging
from undercard.gate.pictures import Pixels
from undercard.previz.frame import Frame, Keypoints
from undercard.previz.render import DRAFT, draw

LEAST_VISIBLE = 8
"""Joints of a fighter who can be missed; of an arm at the picture's edge nobody says that it is missing."""
MILD_SHIFT, MODERATE_SHIFT, SEVERE_SHIFT = 0.05, 0.12, 0.25
"""How far the joints of another pose lie from where they should, on average, as a share of the fighter's size."""
TRACE, HALF, NEARLY_WHOLE = 0.02, 0.5, 0.85
"""How much of a stranger's body can be seen, as a share of it: a glove, as much as tells a person, all of him."""
PART = 0.2
"""The same where it looms as large as HALF of the largest fighter: head and shoulders in a close-up."""
WIDER = 4
"""How many times the view is widened to see a whole body of which the frame shows a part."""
WHOLE_SIZE = (512, 288)
MODERATE_DRIFT, SEVERE_DRIFT = 0.9, 1.4
"""How far trunks and gloves are from their colours, over their chroma; see `scenes.with_one_drifted`."""


def drawn(shoot: Shoot) -> Iterator[tuple[str, int, Pixels]]:
    """Yield the name, the strength (0 mild … 2 severe) and the picture of each that the scene allows."""
    rng = np.random.default_rng([8, shoot.seed])
    now = shoot.scene.now
    other = _frame(shoot, scenes.with_other_pose(now, rng))
    shift = _largest_shift(shoot.joints, other.keypoints)
    if shift >= MILD_SHIFT:
        yield "wrong pose", _strength(shift, MODERATE_SHIFT, SEVERE_SHIFT), shoot.edit(other.image, 1)
    yield "mirrored", 1, shoot.picture[:, ::-1].copy()
    everyone = all(_visible(each) >= LEAST_VISIBLE for each in shoot.joints)
    without, crowded = scenes.without_one(now, rng), scenes.with_third(now, rng)
    if everyone:
        yield "missing fighter", 1, shoot.edit(_frame(shoot, without).image, 2)
        yield "swapped corners", 1, shoot.edit(_frame(shoot, scenes.with_looks_swapped(now)).image, 3)
        drifted, drift = scenes.with_one_drifted(now, rng)
        strength = _strength(drift, MODERATE_DRIFT, SEVERE_DRIFT)
        yield "drifted fighter", strength, shoot.edit(_frame(shoot, drifted).image, 5)
    third = _frame(shoot, crowded)
    share = shown(third, crowded)
    if share >= TRACE:
        yield "third fighter", _strength(share, HALF, NEARLY_WHOLE), shoot.edit(third.image, 4)
    for plain, pixels in with_extra_limbs(shoot):
        yield "extra limb", plain, pixels


def with_extra_limbs(shoot: Shoot) -> Iterator[tuple[int, Pixels]]:
    """Yield the strength and the picture of an arm or a leg too many, at each strength that the scene allows."""
    rng = np.random.default_rng([10, shoot.seed])
    for plain, frame in limbs.planted(shoot.scene.now, shoot.control, SEED_LIMIT + shoot.seed, rng):
        yield plain, shoot.edit(frame.image, 6 + plain)


def _frame(shoot: Shoot, staging: Staging) -> Frame:
    return draw(staging, shoot.size, SEED_LIMIT + shoot.seed)


def _strength(value: float, moderate: float, severe: float) -> int:
    return int(value >= moderate) + int(value >= severe)


def _visible(fighter: Keypoints) -> int:
    return int(fighter.visible.sum())


def _largest_shift(targets: tuple[Keypoints, ...], others: tuple[Keypoints, ...]) -> float:
    """Return how far the visible joints of the fighter who moved most have moved, as a share of his size."""
    shifts = [0.0]
    for should, does in zip(targets, others, strict=True):
        seen = should.visible
        if seen.sum() >= LEAST_VISIBLE:
            span = float(np.ptp(should.xy[seen], axis=0).max())
            shifts.append(float(np.linalg.norm(should.xy[seen] - does.xy[seen], axis=1).mean()) / max(span, 1.0))
    return max(shifts)


def shown(frame: Frame, staging: Staging) -> float:
    """Return how much of the last fighter of *staging* can be seen in *frame*, as a share of his whole body.

    At least HALF where he looms large, as in a close-up, where nobody's body is seen whole.
    """
    areas: list[int] = np.bincount(frame.fighters.ravel(), minlength=len(staging.fighters) + 1)[1:].tolist()
    alone = replace(staging.camera, lens_mm=staging.camera.lens_mm / WIDER)
    body = draw(replace(staging, fighters=staging.fighters[-1:], camera=alone), WHOLE_SIZE, 0, DRAFT).fighters > 0
    # The view is wider by the same factor across and down, and the pictures differ in width.
    whole: float = float(body.sum()) * (WIDER * frame.fighters.shape[1] / WHOLE_SIZE[0]) ** 2
    share = float(areas[-1]) / max(whole, 1.0)
    looming = areas[-1] >= HALF * max(areas[:-1], default=0)
    return max(share, HALF) if share >= PART and looming else share

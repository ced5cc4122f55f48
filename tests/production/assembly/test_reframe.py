from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests import here
from tests.fakes.shot_lists import duel
from undercard.hardware.probe import this_device
from undercard.planning.plan import plan_film
from undercard.production.assembly import reframe
from undercard.shotlist.models import ShotList

WALK = (
    "  - id: nod\n    length: 24\n    keyframes:\n      - {at: 0, poses: {sol: guard}}\n",
    "  - id: walk\n    length: 48\n"
    "    camera: {position: [0, 1.5, 6], target: [0, 1, 0], lens_mm: 35}\n    keyframes:\n"
    "      - {at: 0, poses: {sol: {pose: guard, position: [-1.5, 0]}}}\n"
    "      - {at: 40, ease: linear, poses: {sol: {pose: guard, position: [1.5, 0]}}}\n",
)


def way(shot_list: ShotList, width: float = 0.4) -> tuple[float, ...]:
    return reframe.centres(plan_film(shot_list, this_device(here.settings()), here.settings(), backend="previz"), width)


def test_the_window_follows_a_fighter_across_the_ring_without_a_jerk(tmp_path: Path) -> None:
    centres = way(duel(tmp_path, WALK))
    walked = centres[24:]

    assert len(centres) == 72
    assert walked[0] < 0.35
    assert walked[-1] > 0.65
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(walked))
    assert np.abs(np.diff(walked, 2)).max() < 0.002


def test_a_cut_moves_the_window_at_once(tmp_path: Path) -> None:
    centres = way(duel(tmp_path, WALK))

    assert abs(centres[24] - centres[23]) > 0.1
    assert max(abs(later - earlier) for earlier, later in pairwise(centres[:24])) < 0.02


def test_a_crossfade_takes_the_window_along(tmp_path: Path) -> None:
    faded = (WALK[0], WALK[1].replace("length: 48\n", "length: 48\n    transition: {kind: crossfade, frames: 12}\n"))

    centres = way(duel(tmp_path, faded))

    assert len(centres) == 60
    assert max(abs(later - earlier) for earlier, later in pairwise(centres)) < 0.05


def test_two_fighters_share_the_window(tmp_path: Path) -> None:
    assert way(duel(tmp_path))[0] == pytest.approx(0.5, abs=0.06)


def test_of_two_who_do_not_fit_one_is_followed_not_the_ropes_between_them(tmp_path: Path) -> None:
    both, one = way(duel(tmp_path), 0.5)[0], way(duel(tmp_path), 0.05)[0]

    # Ray, the first of the cast, stands on the left.
    assert one < both - 0.03

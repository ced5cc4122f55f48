"""The labelled set, and the gate before a few dozen pictures of it; `benchmarks/gate.py` has hundreds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.labelled import scenes
from benchmarks.labelled.examples import Example, examples, held_out
from benchmarks.labelled.labels import FAULTS, STRENGTHS
from undercard.gate.contract import Fault
from undercard.gate.judging import judge

SIZE = (512, 288)
SEED = 0
ITS_OWN = frozenset({Fault.WRONG_COUNT, Fault.WRONG_POSE, Fault.SWAPPED, Fault.DRIFTED, Fault.EXTRA_LIMB})
"""Faults that need networks, which have tests of their own."""


@pytest.fixture(scope="session")
def shown() -> tuple[Example, ...]:
    return tuple(examples(SEED, SIZE, structural=False))


def test_the_same_seed_gives_the_same_scene_and_another_seed_another() -> None:
    assert scenes.scene(4) == scenes.scene(4)
    assert scenes.scene(4) != scenes.scene(6)


def test_every_other_seed_is_held_out() -> None:
    assert [held_out(seed) for seed in range(4)] == [False, True, False, True]


def test_every_defect_is_planted_or_has_to_be_drawn(shown: tuple[Example, ...]) -> None:
    planted = {example.name for example in shown if example.fault is not None}

    assert {name for name, fault in FAULTS.items() if fault not in ITS_OWN} == planted


def test_a_defect_is_planted_at_every_strength(shown: tuple[Example, ...]) -> None:
    assert {example.strength for example in shown if example.name == "blur"} == set(STRENGTHS)


def test_good_pictures_are_accepted(shown: tuple[Example, ...]) -> None:
    said = {example.name: judge(example.evidence).causes for example in shown if example.fault is None}

    assert len(said) == 4
    assert not any(said.values()), said


def test_severe_defects_are_called_what_they_are(shown: tuple[Example, ...]) -> None:
    severe = [example for example in shown if example.strength == "severe"]

    missed = {example.name for example in severe if example.fault not in judge(example.evidence).faults}

    assert len(severe) > 12
    assert not missed


def test_a_third_fighter_stands_beside_the_two() -> None:
    crowded = scenes.with_third(scenes.scene(SEED).now, np.random.default_rng(1))

    first, second, third = (np.array(fighter.position) for fighter in crowded.fighters)
    assert min(np.linalg.norm(third - first), np.linalg.norm(third - second)) > 0.3


def test_swapping_looks_leaves_everyone_where_he_is() -> None:
    now = scenes.scene(SEED).now
    swapped = scenes.with_looks_swapped(now)

    assert [fighter.pose for fighter in swapped.fighters] == [fighter.pose for fighter in now.fighters]
    assert [fighter.look for fighter in swapped.fighters] == [fighter.look for fighter in reversed(now.fighters)]


def test_who_has_drifted_wears_what_nobody_does_and_stands_as_he_did() -> None:
    now = scenes.scene(SEED).now
    drifted, far = scenes.with_one_drifted(now, np.random.default_rng(2))

    pairs = list(zip(now.fighters, drifted.fighters, strict=True))
    changed = [(was, is_now) for was, is_now in pairs if was != is_now]
    assert len(changed) == 1
    was, is_now = changed[0]
    assert is_now.look.trunks not in {one.look.trunks for one in now.fighters}
    assert (is_now.pose, is_now.position, is_now.look.skin) == (was.pose, was.position, was.look.skin)
    assert far > 0.3

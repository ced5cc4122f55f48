"""The examples of a seed: the good pictures of its scene, and those with one planted defect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.labelled import defects, structure
from benchmarks.labelled.labels import FAULTS, STRENGTHS
from benchmarks.labelled.shoot import Shoot, shoot
from undercard.domain.requests import Size
from undercard.gate.contract import Fault
from undercard.gate.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Example:
    """A picture of which it is known whether it is good."""

    seed: int
    name: str
    """Of the defect, else what is special about the good picture: `good`, `previz`, `jpeg 75`."""
    strength: str
    """One of `STRENGTHS`; empty for good pictures."""
    evidence: Evidence

    @property
    def fault(self) -> Fault | None:
        """What is wrong with it; None when it is good."""
        return FAULTS.get(self.name)


def held_out(seed: int) -> bool:
    """Say whether *seed* is of the half that nothing is tuned on."""
    return seed % 2 == 1


def examples(seed: int, size: Size, *, structural: bool = True) -> Iterator[Example]:
    """Yield the good and the spoilt pictures of the scene of *seed*, of *size* (width, height) px.

    Args:
        seed: even to tune on, odd to measure on.
        size: of the pictures.
        structural: also those that have to be drawn anew: other poses, fighters missing, added or swapped, extra limbs.
    """
    scene = shoot(seed, size)
    yield from _good(scene)
    yield from _spoilt(scene)
    yield from _copies(scene)
    yield from _jumps(scene)
    if structural:
        for name, strength, pixels in structure.drawn(scene):
            yield Example(seed, name, STRENGTHS[strength], scene.evidence(pixels))


def _good(scene: Shoot) -> Iterator[Example]:
    yield Example(scene.seed, "good", "", scene.evidence(scene.picture))
    yield Example(scene.seed, "jpeg 75", "", scene.evidence(defects.jpeg(scene.picture, 75)))
    yield Example(scene.seed, "previz", "", scene.own_evidence())
    yield Example(scene.seed, "second take", "", scene.evidence(scene.other_take, takes=(scene.picture,)))


def _spoilt(scene: Shoot) -> Iterator[Example]:
    for name, spoil in defects.DEFECTS.items():
        for strength, word in enumerate(STRENGTHS):
            rng = np.random.default_rng([scene.seed, strength, *name.encode()])
            yield Example(scene.seed, name, word, scene.evidence(spoil(scene.picture, strength, rng)))
    cropped = scene.picture[: -8 * (1 + scene.seed % 4)]
    yield Example(scene.seed, "wrong size", STRENGTHS[1], scene.evidence(cropped))


def _copies(scene: Shoot) -> Iterator[Example]:
    for strength, word in enumerate(STRENGTHS):
        rng = np.random.default_rng([scene.seed, strength, 77])
        of_control = defects.copied(scene.control, strength, rng)
        yield Example(scene.seed, "copied control", word, scene.evidence(of_control))
        of_sheet = defects.copied(scene.sheet_as_frame(cropped=scene.seed % 4 < 2), strength, rng)
        yield Example(scene.seed, "copied sheet", word, scene.evidence(of_sheet))
        again = defects.copied(scene.picture, strength, rng)
        yield Example(scene.seed, "repeated take", word, scene.evidence(again, takes=(scene.picture,)))
        if scene.changes:
            same = defects.copied(scene.before, strength, rng)
            yield Example(scene.seed, "repeated neighbour", word, scene.evidence(same))


def _jumps(scene: Shoot) -> Iterator[Example]:
    for strength, word in enumerate(STRENGTHS):
        rng = np.random.default_rng([scene.seed, strength, 78])
        jumped = defects.exposure(scene.picture, strength, rng)
        yield Example(scene.seed, "exposure jump", word, scene.evidence(jumped))
        yield Example(scene.seed, "zoom jump", word, scene.evidence(defects.zoom(scene.picture, strength, rng)))

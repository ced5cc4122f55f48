"""Measures whether `limbs` tells an arm or a leg too many from one that a model drew elsewhere: behind decision 0024.

    python -m benchmarks.gate_limbs                              # 40 scenes of the tune half, 6 minutes on two cores
    python -m benchmarks.gate_limbs --first-seed 41 --scenes 30

Each scene is edited as a model would: as it should be, with every hand so far elsewhere and every foot half as far, and
with limbs too many. Printed is how many of each can be judged, how many are rejected as an extra limb, and how far the
wrist that moved most is from its place. Pictures whose joints are elsewhere are good ones as long as `pose` says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.labelled import structure
from benchmarks.labelled.labels import STRENGTHS
from benchmarks.labelled.shoot import Shoot, shoot
from undercard.domain.requests import SEED_LIMIT, Size
from undercard.domain.staging import PlacedFighter, Vec3
from undercard.domain.timecode import parse_size
from undercard.gate.checks import limbs, pose
from undercard.gate.pictures import Pixels
from undercard.previz.frame import Keypoints
from undercard.previz.render import draw

ELSEWHERE_METRES = (0.04, 0.08, 0.12, 0.18)
WRISTS = [9, 10]
GOOD = "as it should be"
KINDS = (
    GOOD,
    *(f"hands {100 * metres:.0f} cm elsewhere" for metres in ELSEWHERE_METRES),
    *(f"a limb too many, {strength}" for strength in STRENGTHS),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate says of one picture."""

    kind: str
    judged: bool
    rejected: bool
    pose_passed: bool
    shift: float
    """Of the wrist that moved most, over the height of the joints."""


def answers(seed: int, size: Size) -> list[Answer]:
    """Return what is said of every picture of the scene of *seed*."""
    scene = shoot(seed, size)
    return [_answer(scene, kind, pixels, shift) for kind, pixels, shift in _pictures(scene)]


def _pictures(scene: Shoot) -> Iterator[tuple[str, Pixels, float]]:
    yield GOOD, scene.picture, 0.0
    for metres, kind in zip(ELSEWHERE_METRES, KINDS[1:], strict=False):
        rng = np.random.default_rng([99, scene.seed, round(100 * metres)])
        now = scene.scene.now
        other = replace(now, fighters=tuple(_elsewhere(fighter, metres, rng) for fighter in now.fighters))
        frame = draw(other, scene.size, SEED_LIMIT + scene.seed)
        yield kind, scene.edit(frame.image, 1), _shift(scene.joints, frame.keypoints)
    for strength, pixels in structure.with_extra_limbs(scene):
        yield KINDS[strength - len(STRENGTHS)], pixels, 0.0


def _elsewhere(fighter: PlacedFighter, metres: float, rng: np.random.Generator) -> PlacedFighter:
    moved: dict[str, Vec3] = {}
    for field in ("lead_hand", "rear_hand", "lead_foot", "rear_foot"):
        way = rng.normal(size=3)
        way *= (metres if field.endswith("hand") else metres / 2) / np.linalg.norm(way)
        if field.endswith("foot"):
            way[1] = 0.0
        x, y, z = np.add(getattr(fighter.pose, field), way)
        moved[field] = (float(x), float(y), float(z))
    return replace(fighter, pose=replace(fighter.pose, **moved))


def _shift(should: Sequence[Keypoints], does: Sequence[Keypoints]) -> float:
    return max(
        float(np.linalg.norm(a.xy - b.xy, axis=1)[WRISTS].max() / max(float(np.ptp(a.xy, axis=0).max()), 1.0))
        for a, b in zip(should, does, strict=True)
    )


def _answer(scene: Shoot, kind: str, pixels: Pixels, shift: float) -> Answer:
    evidence = scene.evidence(pixels)
    finding = limbs.CHECK.examine(evidence)
    return Answer(kind, finding.judged, not finding.passed, pose.CHECK.examine(evidence).passed, shift)


def show(found: Sequence[Answer], console: Console) -> None:
    """Print the table."""
    table = Table("pictures", "n", "pose passes", "judged", "rejected", "wrist off by", title="the check `limbs`")
    for kind in KINDS:
        mine = [answer for answer in found if answer.kind == kind]
        counts = (sum(getattr(each, name) for each in mine) for name in ("pose_passed", "judged", "rejected"))
        shift = float(np.median([each.shift for each in mine])) if mine else 0.0
        table.add_row(kind, str(len(mine)), *map(str, counts), f"{shift:.2f}")
    console.print(table)


def main() -> None:
    """Measure what the command line says, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--first-seed", type=int, default=0, help="of the scenes; every other seed follows")
    parser.add_argument("--size", default="1024x576")
    asked = parser.parse_args()
    seeds = range(asked.first_seed, asked.first_seed + 2 * asked.scenes, 2)
    size = parse_size(asked.size)
    with ThreadPoolExecutor(2) as pool:
        show([answer for found in pool.map(lambda seed: answers(seed, size), seeds) for answer in found], Console())


if __name__ == "__main__":
    main()

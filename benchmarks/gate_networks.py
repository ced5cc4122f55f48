"""Measures the checks that look at people on previz keyframes of every camera, light and pose.

    python -m benchmarks.gate_networks                     # 200 stagings and the mistakes planted in them
    python -m benchmarks.gate_networks --stagings 13 --size 512x288
    python -m benchmarks.gate_networks --film data/shots/title_fight.yaml

Thresholds were tuned on the first 100 stagings. Prints how many pictures each check judges, and how many of those it
rejects, by mistake and by how much of it there is to see: a wrong or mirrored pose is `strong` where less than 0.4 of
the fighter's seen joints truly lie where they should, `moderate` below 0.65, else `mild`; a third fighter is `plain`
where half of his body can be seen (benchmarks/labelled/structure.py). With `--film`, prints how many keyframes and
shots of a shot list are judged, and how many are rejected that are as they should be.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks.gate_networks_set import Case, cases
from benchmarks.labelled.edits import grade, redrawn
from benchmarks.labelled.structure import HALF, shown
from undercard.domain.requests import Size
from undercard.domain.timecode import parse_size
from undercard.gate.checks import corner, count, identity, limbs, pose, stranger
from undercard.gate.contract import Check, Finding
from undercard.gate.evidence import Evidence
from undercard.gate.measures.people import targets_of
from undercard.gate.pictures import Pixels
from undercard.gate.vision.adherence import Target, adherence
from undercard.gate.vision.pose import Person
from undercard.previz.frame import Frame
from undercard.previz.maps import keypoints_json
from undercard.previz.render import draw
from undercard.shotlist import direction
from undercard.shotlist.load import load_shot_list

CHECKS: tuple[Check, ...] = (count.CHECK, stranger.CHECK, pose.CHECK, corner.CHECK, identity.CHECK, limbs.CHECK)
STRONG, MODERATE = 0.4, 0.65


def main() -> None:
    """Draw, examine, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stagings", type=int, default=200)
    parser.add_argument("--first-staging", type=int, default=0)
    parser.add_argument("--size", default="1024x576")
    parser.add_argument("--film", type=Path, help="a shot list, in place of the stagings")
    arguments = parser.parse_args()
    size = parse_size(arguments.size)
    if arguments.film is not None:
        _film(arguments.film, size)
        return
    seeds = range(arguments.first_staging, arguments.first_staging + arguments.stagings)
    answers = [answer for seed in seeds for answer in _answers(seed, size)]
    print(f"{'rejected of judged':28}{'n':>5}" + "".join(f"{check.name:>12}" for check in CHECKS))
    kinds = Counter(kind for kind, _ in answers)
    for kind, many in sorted(kinds.items()):
        said = [findings for each, findings in answers if each == kind]
        print(f"{kind:28}{many:5}" + "".join(f"{_share([one[k] for one in said]):>12}" for k in range(len(CHECKS))))


def _answers(seed: int, size: Size) -> Iterator[tuple[str, list[Finding]]]:
    """Yield what is planted in each picture of a staging, and what the checks say of it."""
    look = grade(np.random.default_rng([6, seed]))
    asked: Mapping[str, object] = {}
    control: Pixels | None = None
    for number, case in enumerate(cases(seed, size)):
        frame = draw(case.drawn, size, seed)
        if case.defect == "good":
            asked, control = json.loads(keypoints_json(frame)), frame.image
        pixels = redrawn(frame.image, look, np.random.default_rng([7, seed, number]))
        evidence = Evidence(pixels, size, staging=case.asked, keypoints=asked, control=control)
        yield f"{case.defect} {_strength(case, evidence, frame)}".strip(), [check.examine(evidence) for check in CHECKS]


def _strength(case: Case, evidence: Evidence, frame: Frame) -> str:
    """Say how plainly the mistake of *case* can be seen."""
    if case.defect == "third":
        return "plain" if shown(frame, case.drawn) >= HALF else "hidden"
    if case.defect not in ("wrong pose", "mirrored pose"):
        return ""
    assert evidence.keypoints is not None
    assert case.about is not None
    should = targets_of(evidence.keypoints, evidence.pixels)[case.about]
    does = targets_of(json.loads(keypoints_json(frame)), evidence.pixels)[case.about]
    fits = adherence(_as_person(does), should).pck
    return "strong" if fits < STRONG else "moderate" if fits < MODERATE else "mild"


def _as_person(target: Target) -> Person:
    return Person(1.0, target.xy, np.ones(17, np.float32), target.box)


def _share(findings: list[Finding]) -> str:
    judged = [finding for finding in findings if finding.judged]
    return f"{sum(not finding.passed for finding in judged)}/{len(judged)}"


def _film(path: Path, size: Size) -> None:
    """Print how much of the film of *path* can be judged, by its control images edited by a stand-in for a model."""
    shot_list = load_shot_list(path)
    judged: dict[str, list[tuple[str, Finding]]] = {check.name: [] for check in CHECKS}
    for number, shot in enumerate(shot_list.shots):
        look = grade(np.random.default_rng([6, number]))
        for _, staging in direction.stagings(shot_list, shot):
            if not staging.fighters:
                continue
            frame = draw(staging, size, number)
            pixels = redrawn(frame.image, look, np.random.default_rng([7, number]))
            keypoints = json.loads(keypoints_json(frame))
            evidence = Evidence(pixels, size, staging=staging, keypoints=keypoints, control=frame.image)
            for check in CHECKS:
                judged[check.name].append((shot.id, check.examine(evidence)))
    for name, findings in judged.items():
        shots = {shot for shot, _ in findings}
        some = {shot for shot, finding in findings if finding.judged}
        rejected = [f"{shot} ({finding.score:.2f})" for shot, finding in findings if not finding.passed]
        share = sum(finding.judged for _, finding in findings) / max(len(findings), 1)
        print(
            f"{name}: {share:.0%} of {len(findings)} keyframes judged, in {len(some)} of {len(shots)} shots;"
            f" rejected: {', '.join(rejected) or 'none'}"
        )


if __name__ == "__main__":
    main()

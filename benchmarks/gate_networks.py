"""Measures the checks that look at people on previz keyframes of every camera, light and pose.

    python -m benchmarks.gate_networks                     # 200 stagings and the mistakes planted in them
    python -m benchmarks.gate_networks --stagings 13 --size 512x288

Prints how many pictures each check rejects, by mistake and by how much of it can be seen. A mistake is `plain` where
the fighter that it is made with can be read (see undercard/gate/_people.py); a wrong or mirrored pose is `strong` where
less than 0.4 of his joints truly lie where they should, `moderate` below 0.65, else `mild`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Mapping

import numpy as np

from benchmarks.gate_networks_set import Case, cases
from undercard.gate import Check, Evidence, Pixels, corner, count, identity, pose
from undercard.gate._people import cast_of, targets_of
from undercard.planning import parse_size
from undercard.previz.maps import keypoints_json
from undercard.previz.render import draw
from undercard.vision.adherence import Target, adherence
from undercard.vision.pose import Person

CHECKS: tuple[Check, ...] = (count.CHECK, pose.CHECK, corner.CHECK, identity.CHECK)
STRONG, MODERATE = 0.4, 0.65
PLAIN_STRANGER = 8
"""Joints of a third fighter that can be seen."""


def main() -> None:
    """Draw, examine, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stagings", type=int, default=200)
    parser.add_argument("--size", default="1024x576")
    arguments = parser.parse_args()
    size = parse_size(arguments.size)
    shown: Counter[tuple[str, str]] = Counter()
    rejected: Counter[tuple[str, str, str]] = Counter()
    seconds = []
    for seed in range(arguments.stagings):
        asked: Mapping[str, object] = {}
        control: Pixels | None = None
        for case in cases(seed, size):
            frame = draw(case.drawn, size, seed)
            drawn = json.loads(keypoints_json(frame))
            if case.defect == "good":
                asked, control = drawn, frame.image
            evidence = Evidence(frame.image, size, staging=case.asked, keypoints=asked, control=control)
            start = time.perf_counter()
            findings = [check.examine(evidence) for check in CHECKS]
            seconds.append(time.perf_counter() - start)
            kind: tuple[str, str] = case.defect, _strength(case, evidence, drawn)
            shown[kind] += 1
            rejected.update((*kind, finding.check) for finding in findings if not finding.passed)
    print(f"{'':28}{'n':>5}" + "".join(f"{check.name:>10}" for check in CHECKS))
    for kind, many in sorted(shown.items()):
        shares = "".join(f"{rejected[*kind, check.name] / many:10.3f}" for check in CHECKS)
        print(f"{' '.join(kind):28}{many:5}{shares}")
    print(f"{statistics.median(seconds):.3f} s a picture")


def _strength(case: Case, evidence: Evidence, drawn: Mapping[str, object]) -> str:
    """Say how plainly the mistake of *case* can be seen."""
    if case.defect == "good":
        return ""
    there = {target.name: target for target in targets_of(drawn, evidence.pixels)}
    if case.defect == "third":
        return "plain" if there["Stranger"].seen.sum() >= PLAIN_STRANGER else "hidden"
    cast = cast_of(evidence)
    assert cast is not None
    plain = [one.readable for one in cast.fighters]
    if case.about is None:
        return "plain" if all(plain) else "hidden"
    if not plain[case.about]:
        return "hidden"
    if case.defect == "missing":
        return "plain"
    target = cast.fighters[case.about].target
    fits = adherence(_as_person(there[target.name]), target).pck
    return "strong" if fits < STRONG else "moderate" if fits < MODERATE else "mild"


def _as_person(target: Target) -> Person:
    return Person(1.0, target.xy, np.ones(17, np.float32), target.box)


if __name__ == "__main__":
    main()

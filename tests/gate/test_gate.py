from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.gate.pictures import SIZE, keyframe
from undercard.errors import UnreadableImage
from undercard.gate import checks as checks_folder
from undercard.gate.checks import checks, size
from undercard.gate.contract import Finding, Verdict
from undercard.gate.evidence import Evidence
from undercard.gate.judging import judge


def test_every_file_of_the_folder_is_a_check() -> None:
    files = {path.stem for path in Path(checks_folder.__file__).parent.glob("*.py") if not path.stem.startswith("_")}

    assert {check.name for check in checks()} == files


def test_checks_run_in_the_order_of_their_cost() -> None:
    costs = [check.cost for check in checks()]

    assert costs == sorted(costs)


def test_a_good_keyframe_is_accepted_without_causes() -> None:
    verdict = judge(Evidence(keyframe(), SIZE, (keyframe(0.9),)))

    assert verdict.accepted
    assert verdict.causes == ()


def test_a_verdict_names_every_failed_check() -> None:
    black = np.zeros((96, 128, 3), np.uint8)

    verdict = judge(Evidence(black, SIZE))

    failed = {finding.check for finding in verdict.findings if not finding.passed}
    assert failed == {"blank", "blur", "crushed", "size"}
    assert len(verdict.causes) == len(failed)


def test_a_verdict_survives_being_written_as_json() -> None:
    verdict = judge(Evidence(keyframe(), (1024, 576), (keyframe(),)))

    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_a_failed_check_names_its_fault_and_a_passed_one_none() -> None:
    findings = judge(Evidence(np.zeros((96, 128, 3), np.uint8), SIZE)).findings

    assert all((finding.fault is None) == finding.passed for finding in findings)


def test_a_picture_that_no_check_needs_is_not_decoded(tmp_path: Path) -> None:
    evidence = Evidence(keyframe(), SIZE, references=(tmp_path / "gone.png",))

    assert size.CHECK.examine(evidence).passed
    with pytest.raises(UnreadableImage, match=r"gone\.png cannot be read as a picture"):
        evidence.references  # noqa: B018


def test_causes_are_given_for_failed_checks_only() -> None:
    findings: tuple[Finding, ...] = judge(Evidence(keyframe(), (1024, 576))).findings

    assert {finding.check for finding in findings if finding.cause} == {"size"}


@pytest.mark.parametrize("sides", [(1, 1), (2, 3), (17, 500), (100, 31)])
def test_the_smallest_pictures_are_judged_like_any_other(sides: tuple[int, int]) -> None:
    pixels = np.full((sides[1], sides[0], 3), 128, np.uint8)

    assert not judge(Evidence(pixels, sides, (pixels,))).accepted

from __future__ import annotations

import pytest

from benchmarks.labelled.tally import Tally, wilson
from undercard.gate.contract import Fault, Finding, Verdict


def verdict(said: set[Fault], abstaining: str = "") -> Verdict:
    """Return what names *said*, with every check but the one called *abstaining* able to judge."""
    faulty = [
        Finding(check=fault.value, score=1, threshold=0, passed=False, cause="it is", fault=fault) for fault in said
    ]
    silent = [
        Finding(check=name, score=0, threshold=0, passed=True, cause="", judged=name != abstaining)
        for name in ("stranger", "pose")
    ]
    return Verdict(findings=(*faulty, *silent))


def tally(*answers: tuple[str, str, set[Fault]]) -> Tally:
    counted = Tally()
    for name, strength, said in answers:
        counted.add(name, strength, verdict(said))
    return counted


def test_wilsons_interval_is_the_textbooks() -> None:
    # 8 of 10: Brown, Cai and DasGupta, Statistical Science 16 (2001), give 0.490 to 0.943.
    share = wilson(8, 10)

    assert share["low"] == pytest.approx(0.490, abs=1e-3)
    assert share["high"] == pytest.approx(0.943, abs=1e-3)


def test_without_a_case_nothing_is_claimed() -> None:
    assert wilson(0, 0) == {"value": None, "n": 0, "low": 0.0, "high": 1.0}


def test_a_defect_under_another_name_is_missed() -> None:
    counted = tally(("blur", "severe", {Fault.NOISY}), ("blur", "severe", {Fault.SOFT}))

    assert counted.recall(("severe",), Fault.SOFT)["value"] == 0.5
    assert counted.precision(Fault.NOISY)["value"] == 0.0


def test_what_comes_of_a_defect_by_itself_is_no_mistake() -> None:
    counted = tally(("burn", "severe", {Fault.BURNT, Fault.JUMP}))

    assert counted.precision()["value"] == 1.0
    assert counted.precision(Fault.JUMP)["n"] == 0


def test_a_good_picture_with_any_fault_is_falsely_rejected() -> None:
    counted = tally(("good", "", set()), ("good", "", {Fault.SOFT}), ("jpeg 75", "", set()), ("blur", "mild", set()))

    assert counted.false_rejections()["value"] == pytest.approx(1 / 3, abs=1e-4)


def test_faults_that_no_check_names_are_left_out_of_the_whole() -> None:
    counted = tally(("blur", "severe", {Fault.SOFT}), ("third fighter", "moderate", set()))

    assert counted.recall(("moderate", "severe"))["n"] == 1
    assert counted.recall(("moderate",), Fault.WRONG_COUNT)["value"] == 0.0


def test_what_the_check_cannot_read_is_not_missed_but_counted_as_unjudged() -> None:
    counted = Tally()
    counted.add("third fighter", "moderate", verdict(set(), abstaining="stranger"))
    counted.add("third fighter", "moderate", verdict({Fault.WRONG_COUNT}, abstaining="stranger"))
    counted.add("third fighter", "severe", verdict(set(), abstaining="pose"))

    assert counted.recall(("moderate", "severe"), Fault.WRONG_COUNT)["value"] == 0.5
    assert counted.judged(Fault.WRONG_COUNT)["value"] == pytest.approx(2 / 3, abs=1e-4)

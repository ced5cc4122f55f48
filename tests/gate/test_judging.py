"""Which check abstains where another one rejects the picture as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.gate.pictures import SIZE, keyframe
from undercard.gate.checks import checks
from undercard.gate.contract import Fault, Finding
from undercard.gate.evidence import Evidence
from undercard.gate.judging import YIELDS_TO, judge

Judge = Callable[..., dict[str, Finding]]
PAIRS = [
    ("jump", "noise"), ("jump", "banding"),
    ("seam", "noise"), ("seam", "blocks"),
    ("limbs", "burnt"), ("limbs", "crushed"), ("limbs", "cast"), ("limbs", "jump"), ("limbs", "corner"),
    ("limbs", "identity"),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """A check that says the same of every picture."""

    name: str
    passed: bool
    cost: float = 0.0

    def examine(self, evidence: Evidence) -> Finding:
        fault = None if self.passed else Fault.SOFT
        return Finding(check=self.name, score=1.0, threshold=0.5, passed=self.passed, cause="", fault=fault)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Judge a picture that only the named checks reject."""

    def judge_with(*rejecting: str) -> dict[str, Finding]:
        said = tuple(Said(check.name, check.name not in rejecting) for check in checks())
        monkeypatch.setattr("undercard.gate.judging.checks", lambda: said)
        return {finding.check: finding for finding in judge(Evidence(keyframe(), SIZE)).findings}

    return judge_with


@pytest.mark.parametrize(("name", "other"), PAIRS)
def test_a_check_abstains_where_one_that_it_yields_to_rejects_the_picture(judged: Judge, name: str, other: str) -> None:
    found = judged(name, other)

    assert not found[name].judged
    assert found[name].fault is None
    assert [check for check, finding in found.items() if not finding.passed] == [other]


@pytest.mark.parametrize("name", YIELDS_TO)
def test_a_check_that_yields_speaks_where_only_others_reject_the_picture(judged: Judge, name: str) -> None:
    others = {check.name for check in checks()} - {name, *YIELDS_TO, *YIELDS_TO[name]}

    found = judged(name, *others)

    assert not found[name].passed
    assert len(others) > 10


@pytest.mark.parametrize(("name", "other"), PAIRS)
def test_a_check_that_passes_does_not_abstain(judged: Judge, name: str, other: str) -> None:
    found = judged(other)

    assert found[name].passed
    assert found[name].judged


def test_a_check_that_abstains_silences_no_other(judged: Judge) -> None:
    found = judged("limbs", "jump", "noise")

    assert not found["jump"].judged
    assert not found["limbs"].passed


def test_the_table_names_checks_and_each_comes_after_those_that_it_yields_to() -> None:
    order = list(YIELDS_TO)
    pairs = [(name, other) for name, others in YIELDS_TO.items() for other in others]

    assert sorted(pairs) == sorted(PAIRS)
    assert {name for pair in pairs for name in pair} <= {check.name for check in checks()}
    assert all(order.index(other) < order.index(name) for name, other in pairs if other in order)

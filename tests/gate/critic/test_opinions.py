"""What a verdict with an opinion is worth, once somebody else or nobody is the judge."""

from __future__ import annotations

import json

import pytest

from tests.gate.critic.conftest import FAILED, MAGENTA, PASSED, Hear, evidence
from undercard.gate.contract import Opinion, Verdict
from undercard.gate.critic.opinions import holds, with_opinion

HEARD = Opinion(judge="a · prompt 1", heard=True)
REJECTED = Opinion(judge="a · prompt 1", heard=True, accepts=False, words="three arms")
UNHEARD = Opinion(judge="a · prompt 1", heard=False, words="gone")


@pytest.mark.parametrize(
    ("verdict", "same", "another", "nobody"),
    [
        (FAILED, True, True, True),
        (PASSED, False, False, True),
        (with_opinion(PASSED, HEARD), True, False, True),
        (with_opinion(PASSED, REJECTED), True, False, False),
        (with_opinion(PASSED, UNHEARD), False, False, True),
    ],
)
def test_a_verdict_holds_while_its_judge_is_the_judge(
    verdict: Verdict, same: bool, another: bool, nobody: bool
) -> None:
    assert [holds(verdict, judge) for judge in ("a · prompt 1", "b · prompt 1", "")] == [same, another, nobody]


def test_a_verdict_with_an_opinion_is_read_back_as_it_was(hear: Hear) -> None:
    verdict = hear().heard(PASSED, evidence(MAGENTA))

    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
    assert Verdict.model_validate(json.loads(PASSED.model_dump_json(exclude={"opinion"}))) == PASSED

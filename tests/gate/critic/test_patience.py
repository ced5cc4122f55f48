"""A judge who is busy, away or not to be understood is waited for within reason, and never in the way."""

from __future__ import annotations

import email.utils
import time
from pathlib import Path

import pytest

from tests.fakes.judge import FakeJudge, Fault, says
from tests.gate.critic.conftest import MAGENTA, PASSED, Clock, Hear, evidence
from undercard.gate.critic.hearing import SILENCES


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_judge_is_waited_for(hear: Hear, judge: FakeJudge, clock: Clock, status: int) -> None:
    judge.faults = [Fault(status, b"{}"), Fault(status, b"<html>busy</html>")]

    verdict = hear().heard(PASSED, evidence(MAGENTA))

    assert not verdict.accepted
    assert clock.waits == [1.0, 2.0]


def test_a_judge_who_says_how_long_is_left_alone_for_as_long(hear: Hear, judge: FakeJudge, clock: Clock) -> None:
    later = email.utils.formatdate(time.time() + 20.0, usegmt=True)
    judge.faults = [
        Fault(429, b"{}", headers={"Retry-After": "7"}),
        Fault(503, b"{}", headers={"Retry-After": later}),
        Fault(429, b"{}", headers={"Retry-After": "soon"}),
    ]

    assert hear().heard(PASSED, evidence()).accepted
    seven, about_twenty, one = clock.waits
    assert seven == 7.0
    assert 15.0 < about_twenty <= 20.0
    assert one == 4.0


def test_the_gate_goes_on_without_a_judge_who_stays_away_and_says_so(
    hear: Hear, judge: FakeJudge, clock: Clock, store: Path
) -> None:
    judge.faults = [Fault(503, b'{"error": {"message": "loading model"}}')] * 99

    verdict = hear(wait_seconds=5.0).heard(PASSED, evidence(MAGENTA))

    assert verdict.accepted
    assert verdict.findings == PASSED.findings
    assert "status 503 (loading model)" in verdict.unheard
    assert sum(clock.waits) <= 5.0
    assert not list(store.glob("opinions/**/*.json"))


def test_patience_is_of_all_pictures_together_and_comes_back_with_an_answer(
    hear: Hear, judge: FakeJudge, clock: Clock
) -> None:
    hearing = hear(wait_seconds=3.0)
    judge.faults = [Fault(503, b"{}")] * 4
    hearing.heard(PASSED, evidence())
    assert clock.waits == [1.0, 2.0]
    hearing.heard(PASSED, evidence())
    assert clock.waits == [1.0, 2.0]

    assert hearing.heard(PASSED, evidence()).opinion == hearing.heard(PASSED, evidence()).opinion
    judge.faults = [Fault(503, b"{}")]
    assert not hearing.heard(PASSED, evidence(MAGENTA)).accepted
    assert clock.waits == [1.0, 2.0, 1.0]


def test_a_judge_who_is_away_picture_after_picture_is_asked_no_more_for_a_while(
    hear: Hear, judge: FakeJudge, clock: Clock
) -> None:
    hearing = hear(wait_seconds=0.0)
    judge.faults = [Fault(503, b"{}")] * SILENCES
    for _ in range(SILENCES):
        hearing.heard(PASSED, evidence())

    assert "left alone" in hearing.heard(PASSED, evidence(MAGENTA)).unheard
    assert len(judge.asked) == SILENCES

    clock.now += 3600.0
    assert not hearing.heard(PASSED, evidence(MAGENTA)).accepted


def test_a_judge_who_hangs_is_not_waited_for_longer_than_the_settings_say(hear: Hear, judge: FakeJudge) -> None:
    judge.faults = [Fault(hangs=True)]

    verdict = hear(answer_seconds=0.2, wait_seconds=0.0).heard(PASSED, evidence())

    assert "within 0.2 s (UNDERCARD_JUDGE_SECONDS)" in verdict.unheard


def test_a_server_that_is_gone_or_hangs_up_is_no_error(hear: Hear, judge: FakeJudge) -> None:
    judge.faults = [Fault(drops=True)]
    assert "cannot be reached" in hear(wait_seconds=0.0).heard(PASSED, evidence()).unheard

    gone = hear(url="http://127.0.0.1:1/v1", wait_seconds=0.0)
    assert "cannot be reached" in gone.heard(PASSED, evidence()).unheard


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (says("Looks fine!"), "answers no JSON"),
        (says({"verdict": "reject", "cause": ""}), "not say why"),
        (Fault(message={"role": "assistant", "content": None, "refusal": "no"}), "refuses to judge: no"),
        (Fault(body=b"<html>login</html>"), "answers no JSON"),
        (Fault(body=b"[" * 100_000), "answers no JSON"),
        (Fault(body=b" " * 1_100_000), "more than 1000000 bytes"),
        (Fault(302, b"", headers={"Location": "http://127.0.0.1:1/"}), "sends on to another address"),
        (Fault(403, b"{}"), "does not take the key"),
        (Fault(418, b'{"error": "teapot"}'), "status 418 (teapot)"),
    ],
)
def test_what_cannot_be_used_is_told_and_costs_no_patience(
    hear: Hear, judge: FakeJudge, clock: Clock, fault: Fault, words: str
) -> None:
    judge.faults = [fault, fault]

    verdict = hear().heard(PASSED, evidence(MAGENTA))

    assert verdict.accepted
    assert words in verdict.unheard
    assert clock.waits == []


def test_an_answer_that_cannot_be_read_is_asked_for_once_more(hear: Hear, judge: FakeJudge) -> None:
    judge.faults = [says("Hm.")]

    assert not hear().heard(PASSED, evidence(MAGENTA)).accepted
    assert len(judge.asked) == 2

"""The judge is asked about what every check lets pass, waited for within reason, and never in the way."""

from __future__ import annotations

import email.utils
import json
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from tests.judge.fake_judge import KEY, FakeJudge, Fault, picture_in, says
from tests.stagings import fighter, staging
from undercard.gate import Evidence, Finding, Opinion, Verdict
from undercard.judge.appointment import appointed
from undercard.judge.client import Client
from undercard.judge.hearing import SILENCES, Hearing
from undercard.judge.hearing import hearing as open_hearing
from undercard.judge.opinions import holds, with_opinion

SIZE = (320, 180)
GOOD = np.full((SIZE[1], SIZE[0], 3), (60, 120, 60), np.uint8)
MAGENTA = np.full((SIZE[1], SIZE[0], 3), (220, 20, 220), np.uint8)
PASSED = Verdict(findings=(Finding(check="blur", score=1.0, threshold=0.5, passed=True, cause=""),))
FAILED = Verdict(findings=(Finding(check="blur", score=0.1, threshold=0.5, passed=False, cause="soft"),))


class Clock:
    """Time that passes where it is waited for, and nowhere else."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Hear(Protocol):
    def __call__(self, **changes: Any) -> Hearing: ...


@pytest.fixture
def hear(judge: FakeJudge, clock: Clock) -> Iterator[Hear]:
    """Return what opens a hearing with the judge of the settings, changed by what it is given."""
    with ExitStack() as stack:

        def opened(**changes: Any) -> Hearing:
            who = appointed()
            assert who is not None
            return Hearing(stack.enter_context(Client(replace(who, **changes))), clock.sleep, clock)

        yield opened


def evidence(pixels: np.ndarray = GOOD, control: np.ndarray | None = None) -> Evidence:
    return Evidence(pixels, SIZE, control=control, staging=staging(fighter(), light="cold"))


def test_a_picture_that_the_judge_accepts_stays_accepted(hear: Hear) -> None:
    verdict = hear().heard(PASSED, evidence())

    assert verdict.accepted
    assert verdict.opinion is not None
    assert verdict.opinion.heard
    assert verdict.findings[-1].check == "judge"


def test_a_picture_that_the_judge_rejects_is_rejected_in_its_words_and_where_it_says(hear: Hear) -> None:
    verdict = hear().heard(PASSED, evidence(MAGENTA))

    assert not verdict.accepted
    assert verdict.causes == ("the judge: everything is magenta",)
    assert verdict.findings[-1].region == (80, 90, 160, 90)
    assert verdict.faults == ()


def test_what_a_check_rejected_is_not_shown_to_the_judge_who_could_not_mend_it(hear: Hear, judge: FakeJudge) -> None:
    assert hear().heard(FAILED, evidence()) == FAILED
    assert judge.asked == []


def test_the_judge_sees_the_picture_the_control_image_and_what_the_shot_asks_for(hear: Hear, judge: FakeJudge) -> None:
    hear().heard(PASSED, evidence(GOOD, control=MAGENTA))

    (body,) = judge.asked
    picture, control = picture_in(body, 0), picture_in(body, 1)
    words = " ".join(part.get("text", "") for part in body["messages"][1]["content"])
    assert picture.size == SIZE
    assert np.abs(np.asarray(picture).astype(int) - GOOD).max() <= 4
    assert np.abs(np.asarray(control).astype(int) - MAGENTA).max() <= 12
    assert "one boxer" in words
    assert "trunks" in words
    assert body["temperature"] == 0


def test_a_large_picture_is_made_smaller_and_its_region_is_not(hear: Hear, judge: FakeJudge) -> None:
    large = np.kron(MAGENTA, np.ones((10, 10, 1), np.uint8))

    verdict = hear().heard(PASSED, evidence(large))

    assert picture_in(judge.asked[0]).size == (1280, 720)
    assert verdict.findings[-1].region == (800, 900, 1600, 900)


def test_an_opinion_is_kept_for_the_same_picture_asked_in_the_same_words(
    hear: Hear, judge: FakeJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hear().heard(PASSED, evidence(MAGENTA))
    again = hear().heard(PASSED, evidence(MAGENTA))
    assert again == first
    assert len(judge.asked) == 1

    hear().heard(PASSED, evidence(MAGENTA, control=GOOD))
    assert len(judge.asked) == 2

    monkeypatch.setattr("undercard.judge.appointment.REVISION", 99)
    hear().heard(PASSED, evidence(MAGENTA))
    assert len(judge.asked) == 3


def test_a_kept_opinion_that_is_damaged_is_asked_for_again(hear: Hear, judge: FakeJudge, store: Path) -> None:
    hear().heard(PASSED, evidence())
    (kept,) = (store / "opinions").rglob("*.json")
    kept.write_bytes(kept.read_bytes()[:20])

    assert hear().heard(PASSED, evidence()).accepted
    assert len(judge.asked) == 2


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


def test_a_server_that_knows_no_schemas_is_asked_in_words(hear: Hear, judge: FakeJudge) -> None:
    judge.schemas = False
    hearing = hear()

    assert not hearing.heard(PASSED, evidence(MAGENTA)).accepted
    assert hearing.heard(PASSED, evidence(GOOD)).opinion is not None
    assert ["response_format" in body for body in judge.asked] == [True, False, False]


def test_a_model_that_the_server_has_not_is_told(hear: Hear) -> None:
    assert "has no model 'gpt-17'" in hear(model="gpt-17").heard(PASSED, evidence()).unheard


def test_the_key_is_sent_and_told_nowhere(
    hear: Hear, judge: FakeJudge, store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("UNDERCARD_JUDGE_KEY", KEY)
    judge.key = KEY
    heard = hear().heard(PASSED, evidence(MAGENTA))
    judge.key = "another"
    refused = hear().heard(PASSED, evidence())

    assert judge.keys == [f"Bearer {KEY}", f"Bearer {KEY}"]
    assert "does not take the key" in refused.unheard
    kept = b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file()).decode()
    assert KEY not in caplog.text + kept + heard.model_dump_json() + refused.model_dump_json()


def test_without_a_key_none_is_sent(hear: Hear, judge: FakeJudge) -> None:
    hear().heard(PASSED, evidence())

    assert judge.keys == [None]


def test_there_is_no_hearing_without_a_judge() -> None:
    with open_hearing() as hearing:
        assert hearing is None


def test_there_is_one_with_whom_the_settings_name(judge: FakeJudge) -> None:
    with open_hearing() as hearing:
        assert hearing is not None
        assert not hearing.heard(PASSED, evidence(MAGENTA)).accepted


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

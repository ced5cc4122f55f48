"""The judge is asked about what every check lets pass: what it is shown, what its word does, and what is kept."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tests import here
from tests.fakes.judge import KEY, FakeJudge, picture_in
from tests.gate.critic.conftest import FAILED, GOOD, MAGENTA, PASSED, SIZE, Hear, evidence
from undercard.gate.critic.hearing import hearing as open_hearing


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

    monkeypatch.setattr("undercard.gate.critic.appointment.REVISION", 99)
    hear().heard(PASSED, evidence(MAGENTA))
    assert len(judge.asked) == 3


def test_a_kept_opinion_that_is_damaged_is_asked_for_again(hear: Hear, judge: FakeJudge, store: Path) -> None:
    hear().heard(PASSED, evidence())
    (kept,) = (store / "opinions").rglob("*.json")
    kept.write_bytes(kept.read_bytes()[:20])

    assert hear().heard(PASSED, evidence()).accepted
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
    with open_hearing(here.settings()) as hearing:
        assert hearing is None


def test_there_is_one_with_whom_the_settings_name(judge: FakeJudge) -> None:
    with open_hearing(here.settings()) as hearing:
        assert hearing is not None
        assert not hearing.heard(PASSED, evidence(MAGENTA)).accepted

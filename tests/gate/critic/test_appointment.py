"""Who may judge: nobody by default, and only whom the settings let see the pictures."""

from __future__ import annotations

import pytest

from tests import here
from tests.fakes.judge import KEY, FakeJudge
from undercard.errors import BadInput
from undercard.gate.critic.appointment import Appointment, appointed, is_here, standing_judge
from undercard.gate.critic.condition import condition


def named(monkeypatch: pytest.MonkeyPatch, url: str, **others: str) -> Appointment | None:
    monkeypatch.setenv("UNDERCARD_JUDGE", url)
    monkeypatch.setenv("UNDERCARD_JUDGE_MODEL", "some-vlm")
    for name, value in others.items():
        monkeypatch.setenv(f"UNDERCARD_JUDGE_{name.upper()}", value)
    return appointed(here.settings())


def test_nobody_judges_unless_the_settings_name_one() -> None:
    assert appointed(here.settings()) is None
    assert standing_judge(here.settings()) == ""
    assert condition(here.settings()).name == ""


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://[::1]:8000/v1/", "http://localhost:8000/v1"])
def test_a_judge_on_this_machine_may_be_asked(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    who = named(monkeypatch, url)

    assert who is not None
    assert who.url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1",
        "http://192.168.1.4:8000/v1",
        "http://127.0.0.1.example.com/v1",
        "http://0.0.0.0/v1",
    ],
)
def test_pictures_leave_the_machine_only_where_that_is_allowed(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(BadInput, match="UNDERCARD_JUDGE_REMOTE=true"):
        named(monkeypatch, url)

    assert named(monkeypatch, url, remote="true") is not None


def test_a_key_is_sent_in_the_clear_to_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="in the clear"):
        named(monkeypatch, "http://192.168.1.4:8000/v1", remote="true", key=KEY)

    assert named(monkeypatch, "https://192.168.1.4:8000/v1") is not None
    assert named(monkeypatch, "http://127.0.0.1:8000/v1") is not None


def test_an_address_with_a_password_is_refused_without_telling_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="UNDERCARD_JUDGE_KEY") as caught:
        named(monkeypatch, "http://me:secret@127.0.0.1:8000/v1")

    assert "secret" not in str(caught.value)


def test_a_judge_without_a_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCARD_JUDGE", "http://127.0.0.1:8000/v1")

    with pytest.raises(BadInput, match="UNDERCARD_JUDGE_MODEL is not set"):
        appointed(here.settings())


def test_the_key_is_in_no_text_about_the_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    who = named(monkeypatch, "http://127.0.0.1:8000/v1", key=KEY)

    assert who is not None
    assert who.key == KEY
    assert KEY not in repr(who)
    assert KEY not in who.name


def test_another_name_or_other_words_are_another_judge() -> None:
    assert Appointment("http://127.0.0.1", "a").name != Appointment("http://127.0.0.1", "b").name
    assert "prompt" in Appointment("http://127.0.0.1", "a").name


def test_no_name_is_looked_up_to_know_where_a_server_is() -> None:
    assert is_here("http://127.8.9.1/v1")
    assert not is_here("http://my-own-machine/v1")
    assert not is_here("http:///v1")


def test_the_doctor_asks_for_the_model_and_sends_no_picture(judge: FakeJudge) -> None:
    assert condition(here.settings()).reason is None
    assert judge.asked == []


def test_the_doctor_names_the_models_that_there_are(judge: FakeJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    judge.models = ("llava-13b", "pixtral")

    assert "UNDERCARD_JUDGE_MODEL to one of llava-13b, pixtral" in (condition(here.settings()).reason or "")
    monkeypatch.delenv("UNDERCARD_JUDGE_MODEL")
    assert "no model of it is named" in (condition(here.settings()).reason or "")


def test_the_doctor_says_why_a_judge_cannot_be_asked(judge: FakeJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    judge.key = KEY
    monkeypatch.setenv("UNDERCARD_JUDGE_KEY", "sk-wrong-key")
    refused = condition(here.settings()).reason or ""

    assert "does not take the key" in refused
    assert "sk-wrong-key" not in refused

    monkeypatch.setenv("UNDERCARD_JUDGE", "http://127.0.0.1:1/v1")
    assert "cannot be reached" in (condition(here.settings()).reason or "")

    monkeypatch.setenv("UNDERCARD_JUDGE", "https://api.example.com/v1")
    assert "UNDERCARD_JUDGE_REMOTE" in (condition(here.settings()).reason or "")

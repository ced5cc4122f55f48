"""A server that stopped responding is asked again, at a steady pace and for as long as the settings say."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from undercard.backends.comfy.client import ServerGone
from undercard.backends.comfy.patience import RETURN_SECONDS, patiently
from undercard.domain import progress
from undercard.domain.progress import Stage
from undercard.errors import BackendError


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time pass by sleeping alone, and none in truth; return what was slept."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "monotonic", lambda: sum(slept))
    return slept


def failing(*errors: BackendError) -> Callable[[], str]:
    left = list(errors)

    def ask() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return ask


def test_a_server_is_asked_until_it_answers_and_whoever_watches_is_told(waits: list[float]) -> None:
    told: list[Stage] = []

    with progress.listening(told.append):
        answer = patiently(failing(ServerGone("gone"), ServerGone("gone")), 60.0)

    assert answer == "answer"
    assert waits == [RETURN_SECONDS, RETURN_SECONDS]
    assert [stage.name for stage in told] == ["wait", "wait"]


def test_a_server_that_stays_away_is_given_up_when_the_time_is_over(waits: list[float]) -> None:
    with pytest.raises(ServerGone, match=r"^gone; it was waited for 2 s \(UNDERCARD_COMFYUI_WAIT_SECONDS\)$"):
        patiently(failing(*[ServerGone("gone")] * 99), 2.0)

    assert sum(waits) == 2.0


def test_any_other_error_is_nothing_to_wait_for(waits: list[float]) -> None:
    with pytest.raises(BackendError, match="no such node"):
        patiently(failing(BackendError("no such node")), 60.0)

    assert waits == []

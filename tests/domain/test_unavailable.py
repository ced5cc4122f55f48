"""A reason for not running: shown whole or in its parts, decided upon by its cause."""

from __future__ import annotations

from undercard.domain.unavailable import Cause, Unavailable, from_error
from undercard.errors import BadCheckpoint


def test_a_reason_reads_as_errors_do() -> None:
    assert str(Unavailable("there is no card", "put one in", Cause.NO_CARD)) == "there is no card; put one in"
    assert str(Unavailable("there is no card", "", Cause.NO_CARD)) == "there is no card"


def test_an_errors_message_becomes_a_reason_and_keeps_every_word() -> None:
    for message in ("a.gguf is cut short; fetch it again", "no", "a; b; c"):
        reason = from_error(BadCheckpoint(message), Cause.WRONG_FILE)
        assert str(reason) == message
        assert ";" not in reason.what

"""What is heard of a websocket, from a server that says what a test lets it say."""

from __future__ import annotations

import http
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from undercard.backends.comfy.client import ServerGone
from undercard.backends.comfy.events import Event, listening


@contextmanager
def saying(*messages: str | bytes, then_hang_up: bool = False) -> Iterator[tuple[str, Sequence[str]]]:
    """Serve a websocket that says *messages*; yield its address, with a password, and what it was asked for."""
    asked: list[str] = []
    over = threading.Event()

    def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        asked.append(connection.request.path)
        for message in messages:
            connection.send(message)
        if not then_hang_up:
            over.wait(10)

    with serve(talk, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://me:secret@127.0.0.1:{server.socket.getsockname()[1]}", asked
        finally:
            over.set()
            server.shutdown()
            thread.join()


def heard(*messages: str | bytes) -> list[Event | None]:
    """Return the events that *messages* become."""
    with saying(*messages) as (url, _), listening(url, "me") as events:
        return [events.next(5.0) for _ in messages]


def test_what_the_server_says_is_an_event_with_the_job_that_it_is_about() -> None:
    (event,) = heard('{"type": "progress", "data": {"value": 2, "max": 4, "prompt_id": "a"}}')

    assert event == Event("progress", {"value": 2, "max": 4, "prompt_id": "a"})
    assert event is not None
    assert event.job == "a"
    assert Event("status", {}).job is None


@pytest.mark.parametrize("message", ["not json", "[]", "null", '{"type": "status"}', '{"type": "status", "data": [1]}'])
def test_what_cannot_be_read_is_an_event_about_nothing_and_listening_goes_on(message: str) -> None:
    assert heard(message, b"\x00\x00\x00\x01a picture", '{"type": "executing", "data": {}}') == [
        Event("", {}),
        Event("preview", {}),
        Event("executing", {}),
    ]


def test_silence_is_no_event_and_what_was_said_before_can_be_passed_over() -> None:
    with saying(*["{}"] * 5) as (url, asked), listening(url, "me") as events:
        assert events.hears
        assert events.next(5.0) is not None
        events.drain()
        assert events.next(0.0) is None

    assert list(asked) == ["/ws?clientId=me"]


def test_a_server_that_hangs_up_is_gone_and_its_password_is_not_told() -> None:
    with saying("{}", then_hang_up=True) as (url, _), listening(url, "me") as events:
        events.next(5.0)
        with pytest.raises(ServerGone, match=r"^ComfyUI at http://127\.0\.0\.1:\d+ hung up$"):
            events.next(5.0)


def test_where_the_server_offers_no_websocket_nothing_is_heard() -> None:
    def refuse(connection: ServerConnection, _request: Request) -> Response:
        return connection.respond(http.HTTPStatus.NOT_FOUND, "no such page")

    with serve(lambda _connection: None, "127.0.0.1", 0, process_request=refuse) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with listening(f"http://127.0.0.1:{server.socket.getsockname()[1]}", "me") as events:
            assert (events.hears, events.next(0.0)) == (False, None)
        server.shutdown()
        thread.join()


def test_a_server_that_is_not_there_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with (
        pytest.raises(ServerGone, match=rf"^ComfyUI at http://127\.0\.0\.1:{port} does not answer: "),
        listening(f"http://me:secret@127.0.0.1:{port}", "me"),
    ):
        pass

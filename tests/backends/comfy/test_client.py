from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from undercard.backends.comfy.client import Client, ServerGone
from undercard.backends.comfy.nodes import Node, Picture
from undercard.errors import BackendError


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Answer everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *said: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


ASKED: dict[str, Callable[[Client], object]] = {
    "place": lambda client: client.place("a"),
    "history": lambda client: client.history("a"),
    "schemas": lambda client: client.schemas(["KSampler"]),
    "upload": lambda client: client.upload("a.png", b"a"),
    "submit": lambda client: client.submit({"1": Node("KSampler", {})}, "a", "b"),
    "view": lambda client: client.view(Picture("a.png")),
    "cancel": lambda client: client.cancel("a"),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_a_proxy_whose_server_is_away_says_that_the_server_may_come_back(ask: Callable[[Client], object]) -> None:
    with (
        answering(503, b"") as url,
        Client(url) as client,
        pytest.raises(ServerGone, match="does not answer: status 503"),
    ):
        ask(client)


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_what_does_not_let_us_in_is_told_with_its_status_and_what_it_says(ask: Callable[[Client], object]) -> None:
    told = r"with status 401 \(who are you\?\); is it a ComfyUI"
    with (
        answering(401, b"who are you?") as url,
        Client(url) as client,
        pytest.raises(BackendError, match=told) as failure,
    ):
        ask(client)

    assert type(failure.value) is BackendError


@pytest.mark.parametrize("ask", [ASKED["place"], ASKED["schemas"], ASKED["upload"], ASKED["submit"]])
def test_a_page_in_place_of_an_answer_is_told(ask: Callable[[Client], object]) -> None:
    with answering(200, b"<html>") as url, Client(url) as client, pytest.raises(BackendError, match="with no JSON"):
        ask(client)


def test_an_upload_without_a_name_is_told() -> None:
    with answering(200, b"{}") as url, Client(url) as client, pytest.raises(BackendError, match="did not say what"):
        client.upload("a.png", b"a")


def test_a_refusal_without_a_reason_is_told_as_such() -> None:
    with answering(400, b"[]") as url, Client(url) as client, pytest.raises(BackendError, match="does not say why"):
        client.submit({"1": Node("KSampler", {})}, "a", "b")

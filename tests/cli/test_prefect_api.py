"""What commands say where a Prefect server refuses, lacks something, or is not there."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, temporary_settings

from undercard.cli.prefect_api import Api
from undercard.errors import BadInput, UndercardError

REFUSED = {
    "exception_detail": [
        {"loc": ["body", 0, "schedule", "interval"], "msg": "Field required"},
        {"loc": ["body", 0, "schedule", "cron"], "msg": 'Value error, Invalid cron string: "bad"'},
    ]
}
LOGIN = f"Basic {base64.b64encode(b'anna:secret').decode()}"


class Answers(BaseHTTPRequestHandler):
    """A server with a login, one deployment, and no schedule that it likes."""

    def do_GET(self) -> None:
        self.answer(*((200, {"id": "1"}) if self.path == "/api/deployments/1" else (404, {"detail": "Not Found"})))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(422, REFUSED)

    def do_DELETE(self) -> None:
        self.answer(204, None)

    def answer(self, status: int, content: object) -> None:
        if self.headers.get("Authorization") != LOGIN:
            status, content = 401, {"exception_message": "Unauthorized"}
        body = json.dumps(content).encode() if content is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Api(f"http://127.0.0.1:{server.server_port}/api")
        finally:
            server.shutdown()


def test_the_login_of_the_settings_is_sent_and_what_is_there_comes_back(api: Api) -> None:
    with temporary_settings({PREFECT_API_AUTH_STRING: "anna:secret"}):
        assert api("GET", "deployments/1") == {"id": "1"}
        assert api("DELETE", "deployments/1") is None


def test_a_server_that_wants_a_login_is_told_apart_from_one_that_is_not_there(api: Api) -> None:
    with pytest.raises(UndercardError, match="wants a login; set PREFECT_API_AUTH_STRING"):
        api("GET", "deployments/1")
    with pytest.raises(UndercardError, match=r"does not answer \(.*refused.*\); start it, or unset PREFECT_API_URL"):
        Api("http://127.0.0.1:1/api")("GET", "deployments/1")


def test_what_is_not_registered_is_named(api: Api) -> None:
    with (
        temporary_settings({PREFECT_API_AUTH_STRING: "anna:secret"}),
        pytest.raises(UndercardError, match="has no deployments/name/produce/nightly; register it with"),
    ):
        api("GET", "deployments/name/produce/nightly")


def test_a_value_that_is_refused_is_told_in_the_servers_own_words(api: Api) -> None:
    with (
        temporary_settings({PREFECT_API_AUTH_STRING: "anna:secret"}),
        pytest.raises(BadInput, match=r'^Invalid cron string: "bad"$'),
    ):
        api("POST", "deployments/1/schedules", [])

"""A server on loopback that keeps to the contract of chat completions, and judges by what it truly decodes.

It refuses what an OpenAI-compatible server refuses: another path, a key that is missing or wrong, a model that it has
not, a body that is no chat completion with decodable pictures. It rejects a keyframe that is mostly magenta. What is to
go wrong is put into `faults`, one for each question to come.
"""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

Json = dict[str, Any]
MODEL = "qwen2.5-vl-7b-instruct"
KEY = "sk-only-for-tests-1234567890"


@dataclass
class Fault:
    """What goes wrong with one question, in place of an answer."""

    status: int = 200
    body: bytes | None = None
    """As it is sent; None for a chat completion of `message`."""
    message: Json | None = None
    finish: str = "stop"
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    """Send no answer until the server ends."""
    drops: bool = False
    """Close the connection without a word."""


@dataclass
class FakeJudge:
    """What the server knows, and what it was asked."""

    models: tuple[str, ...] = (MODEL,)
    key: str = ""
    schemas: bool = True
    """It knows `response_format`."""
    faults: list[Fault] = field(default_factory=list)
    asked: list[Json] = field(default_factory=list)
    """The bodies of all questions."""
    keys: list[str | None] = field(default_factory=list)
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def answer(self, body: Json) -> tuple[int, Json]:
        """Return status and content for the chat completion *body*."""
        wrong = self._wrong_with(body)
        if wrong:
            return 400, _error(wrong)
        if body["model"] not in self.models:
            return 404, _error(f"The model `{body['model']}` does not exist")
        pictures = [part for part in body["messages"][1]["content"] if part["type"] == "image_url"]
        red, green, blue = np.asarray(_decoded(pictures[0])).reshape(-1, 3).mean(axis=0)
        if red > 120 and blue > 120 and green < 90:
            told: Json = {
                "verdict": "reject",
                "cause": "everything is magenta",
                "region": {"left": 0.25, "top": 0.5, "right": 0.75, "bottom": 1.0},
            }
        else:
            told = {"verdict": "accept", "cause": "", "region": None}
        return 200, completion({"role": "assistant", "content": json.dumps(told)})

    def _wrong_with(self, body: Json) -> str:
        if not isinstance(body.get("model"), str) or not isinstance(body.get("messages"), list):
            return "you must provide a model and messages"
        if "response_format" in body:
            if not self.schemas:
                return "Unsupported parameter: 'response_format'"
            schema = body["response_format"].get("json_schema") or {}
            if body["response_format"].get("type") != "json_schema" or {"name", "schema"} - schema.keys():
                return "response_format needs a json_schema with a name and a schema"
        if [message.get("role") for message in body["messages"]] != ["system", "user"]:
            return "messages need a system and a user"
        for part in body["messages"][1]["content"]:
            if part["type"] == "image_url":
                if not part["image_url"]["url"].startswith("data:image/jpeg;base64,"):
                    return "image_url must be a data URL"
                _decoded(part)
            elif part["type"] != "text" or not part["text"]:
                return f"unknown part {part['type']}"
        return ""


def completion(message: Json, finish: str = "stop") -> Json:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def says(content: object, finish: str = "stop") -> Fault:
    """Return a chat completion of *content*, which may be anything that a model writes."""
    text = content if isinstance(content, str) else json.dumps(content)
    return Fault(message={"role": "assistant", "content": text}, finish=finish)


def picture_in(body: Json, number: int = 0) -> Image.Image:
    """Return a picture of a question."""
    return _decoded([part for part in body["messages"][1]["content"] if part["type"] == "image_url"][number])


def _decoded(part: Json) -> Image.Image:
    content = base64.b64decode(part["image_url"]["url"].partition(",")[2], validate=True)
    return Image.open(io.BytesIO(content)).convert("RGB")


def _error(message: str) -> Json:
    return {"error": {"message": message, "type": "invalid_request_error"}}


@contextmanager
def serving() -> Iterator[FakeJudge]:
    """Run a judge on a free port of 127.0.0.1."""
    judge = FakeJudge()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_said: object) -> None:
            pass

        def do_GET(self) -> None:
            if not self._may_ask():
                return
            listed = [{"id": model, "object": "model", "created": 1, "owned_by": "tests"} for model in judge.models]
            found = self.path == "/v1/models"
            self._send(200 if found else 404, {"object": "list", "data": listed} if found else _error("Not Found"))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            judge.keys.append(self.headers.get("Authorization"))
            if not self._may_ask():
                return
            if self.path != "/v1/chat/completions":
                self._send(404, _error("Not Found"))
                return
            judge.asked.append(body)
            if judge.faults:
                self._fail(judge.faults.pop(0))
                return
            self._send(*judge.answer(body))

        def _may_ask(self) -> bool:
            given = self.headers.get("Authorization")
            if not judge.key or given == f"Bearer {judge.key}":
                return True
            # As OpenAI's does, which tells the key back.
            self._send(401, _error(f"Incorrect API key provided: {(given or '').removeprefix('Bearer ')}."))
            return False

        def _fail(self, fault: Fault) -> None:
            if fault.hangs:
                judge.over.wait(30)
            if fault.hangs or fault.drops:
                self.close_connection = True
                return
            content = fault.body
            if content is None:
                content = json.dumps(completion(fault.message or {}, fault.finish)).encode()
            self._send(fault.status, content, fault.headers)

        def _send(self, status: int, content: Json | bytes, headers: dict[str, str] | None = None) -> None:
            sent = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    judge.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield judge
    finally:
        judge.over.set()
        server.shutdown()
        server.server_close()
        thread.join()

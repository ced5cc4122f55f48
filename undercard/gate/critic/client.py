"""The judge's server over HTTP: chat completions and the list of models, with its failures in undercard's terms."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx

from undercard.errors import JudgeAway, JudgeUnheard
from undercard.gate.critic.answer import one_line
from undercard.gate.critic.appointment import Appointment, is_here

CONNECT_SECONDS = 5.0
LIST_SECONDS = 5.0
"""For a list of models; `undercard doctor` waits for it."""
MOST_BYTES = 1_000_000
"""Of an answer; one of 600 tokens has a few thousand."""
AWAY = {408, 409, 425, 429, 500, 502, 503, 504, 529}
"""What a server says that is overloaded, restarting, or loading its model."""
MISUNDERSTOOD = {400, 415, 422}
"""What one says that does not know a field of the request, such as the form of the answer."""


class _Misunderstood(JudgeUnheard):
    """The server does not take the request as it is."""


@dataclass(slots=True)
class Client:
    """One server; a context manager that may be used from several threads."""

    appointment: Appointment
    http: httpx.Client = field(init=False)
    structured: bool = True
    """The server is asked to hold the answer to its schema; not any more once it did not understand that."""

    def __post_init__(self) -> None:
        url, key = self.appointment.url, self.appointment.key
        here = is_here(url)
        self.http = httpx.Client(
            base_url=f"{url}/",
            timeout=httpx.Timeout(self.appointment.answer_seconds, connect=CONNECT_SECONDS),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            # Proxies of the environment are for the web: a server of one's own is not behind them.
            trust_env=not here,
            # Loading the authorities' certificates takes longer than all that is asked, and plain HTTP needs none.
            verify=url.startswith("https"),
            # A judge on this machine must not send pictures on to another.
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def ask(self, body: Mapping[str, object]) -> object:
        """Return the server's answer to the chat completion *body*.

        Raises:
            JudgeAway: it is busy or does not answer in time.
            JudgeUnheard: it does not take the request, or answers no JSON.
        """
        if self.structured:
            try:
                return self._json("POST", "chat/completions", self.appointment.answer_seconds, body)
            except _Misunderstood:
                # Older servers know no schemas; the task says in words what the answer is like.
                answer = self._json("POST", "chat/completions", self.appointment.answer_seconds, _plain(body))
                self.structured = False
                return answer
        return self._json("POST", "chat/completions", self.appointment.answer_seconds, _plain(body))

    def models(self) -> tuple[str, ...]:
        """Return the names of the models that the server lists.

        Raises:
            JudgeUnheard: it does not answer, or with no such list.
        """
        told = self._json("GET", "models", LIST_SECONDS)
        listed = told.get("data") if isinstance(told, dict) else None
        if not isinstance(listed, list):
            raise JudgeUnheard(f"{self.appointment.url}/models is no list of models; is that an OpenAI-compatible API?")
        return tuple(str(each["id"]) for each in listed if isinstance(each, dict) and "id" in each)

    def _json(self, method: str, path: str, seconds: float, body: Mapping[str, object] | None = None) -> object:
        status, content, headers = self._answer(method, path, seconds, body)
        if status == 200:
            try:
                told: object = json.loads(content)
            except (ValueError, RecursionError) as exc:
                raise JudgeUnheard(f"{self._where(path)} answers no JSON ({self._said(content)})") from exc
            return told
        raise self._refusal(status, path, content, headers)

    def _answer(
        self, method: str, path: str, seconds: float, body: Mapping[str, object] | None
    ) -> tuple[int, bytes, httpx.Headers]:
        # Each read has its own time; one that drips must not take for ever.
        deadline = time.monotonic() + seconds
        content = bytearray()
        try:
            with self.http.stream(
                method, path, json=body, timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS)
            ) as told:
                for part in told.iter_bytes():
                    content += part
                    if len(content) > MOST_BYTES:
                        raise JudgeUnheard(f"{self._where(path)} answers more than {MOST_BYTES} bytes")
                    if time.monotonic() > deadline:
                        raise JudgeAway(f"{self._where(path)} has not ended its answer within {seconds:g} s")
                return told.status_code, bytes(content), told.headers
        except httpx.ReadTimeout as exc:
            raise JudgeAway(
                f"{self._where(path)} does not answer within {seconds:g} s (UNDERCARD_JUDGE_SECONDS)"
            ) from exc
        except (httpx.TransportError, httpx.InvalidURL) as exc:
            raise JudgeAway(f"{self._where(path)} cannot be reached: {str(exc) or type(exc).__name__}") from exc
        except httpx.DecodingError as exc:
            raise JudgeUnheard(f"{self._where(path)} answers what cannot be unpacked: {exc}") from exc

    def _refusal(self, status: int, path: str, content: bytes, headers: httpx.Headers) -> JudgeUnheard:
        where, said = self._where(path), self._said(content)
        if status in AWAY:
            away = JudgeAway(f"{where} answers with status {status} ({said})")
            away.wait_seconds = _retry_after(headers.get("retry-after", ""))
            return away
        if status in {401, 403}:
            return JudgeUnheard(f"{where} does not take the key ({status}: {said}); set UNDERCARD_JUDGE_KEY")
        if status == 404:
            return JudgeUnheard(
                f"{where} is not there, or has no model {self.appointment.model!r} ({said}); see `undercard doctor`"
            )
        if 300 <= status < 400:
            return JudgeUnheard(f"{where} sends on to another address; name that in UNDERCARD_JUDGE")
        kind = _Misunderstood if status in MISUNDERSTOOD else JudgeUnheard
        return kind(f"{where} answers with status {status} ({said})")

    def _where(self, path: str) -> str:
        return f"{self.appointment.url}/{path}"

    def _said(self, content: bytes) -> str:
        """Return the server's own words, without the key, which some repeat."""
        text = content[:2000].decode("utf-8", "replace")
        try:
            error = json.loads(content).get("error")
            text = str(error.get("message") if isinstance(error, dict) else error or text)
        except (ValueError, AttributeError, RecursionError):
            pass
        key = self.appointment.key
        return one_line(text.replace(key, "…") if key else text) or "it does not say why"


def _plain(body: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in body.items() if name != "response_format"}


def _retry_after(told: str) -> float | None:
    """Return the seconds of a header `Retry-After`, which are a number or a date (RFC 9110, section 10.2.3)."""
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return None

"""ComfyUI's websocket: hints of how far a job is. What became of it, the history alone says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException
from websockets.sync.client import ClientConnection, connect

from undercard.backends.comfy.client import CONNECT_SECONDS, ServerGone, shown

LARGEST_BYTES = 64 * 2**20
"""Of one message: previews are pictures."""
DRAIN_SECONDS = 0.2
"""That nothing is said before all was."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that the server said."""

    kind: str
    """`executing`, `progress`, `execution_success` and others; `preview` for a picture."""
    about: Mapping[str, object]

    @property
    def job(self) -> object:
        """The id of the job that it is about; None for what is about none."""
        return self.about.get("prompt_id")


@dataclass(frozen=True, slots=True)
class Events:
    """What one listener hears; nothing at all where the server offers no websocket."""

    connection: ClientConnection | None
    url: str

    @property
    def hears(self) -> bool:
        """Anything could be heard at all."""
        return self.connection is not None

    def next(self, seconds: float) -> Event | None:
        """Return the next event, or None when there is none within *seconds*.

        Raises:
            ServerGone: the server hung up.
        """
        if self.connection is None:
            time.sleep(seconds)
            return None
        try:
            message = self.connection.recv(timeout=seconds)
        except TimeoutError:
            return None
        except ConnectionClosed as exc:
            raise ServerGone(f"ComfyUI at {shown(self.url)} hung up") from exc
        return Event("preview", {}) if isinstance(message, bytes) else _event(message)

    def drain(self) -> None:
        """Pass over what was said and not read yet.

        Raises:
            ServerGone: the last of it is that the server hung up.
        """
        while self.next(DRAIN_SECONDS) is not None:
            pass


@contextmanager
def listening(url: str, listener: str) -> Iterator[Events]:
    """Listen to the server at *url* under the name *listener*, which its jobs are then submitted with.

    Raises:
        ServerGone: it does not answer.
    """
    address = f"ws{url.removeprefix('http')}/ws?clientId={listener}"
    try:
        # A server that loads a model answers no pings for a while, and the history is asked all along.
        connection = connect(
            address, open_timeout=CONNECT_SECONDS, ping_interval=None, max_size=LARGEST_BYTES, proxy=None
        )
    except InvalidHandshake:
        yield Events(None, url)
        return
    except (OSError, TimeoutError, WebSocketException) as exc:
        raise ServerGone(f"ComfyUI at {shown(url)} does not answer: {exc}") from exc
    with connection:
        yield Events(connection, url)


def _event(message: str) -> Event:
    try:
        told = json.loads(message)
    except ValueError:
        told = None
    match told:
        case {"type": str(kind), "data": dict(about)}:
            return Event(kind, about)
        case _:
            return Event("", {})

"""The Prefect server that a terminal run borrows when none is configured: started once, kept while it is used.

A temporary server a run would cost every command 15 s or more; this one is found again by the next command, shows its
runs in a browser, and ends by itself when nobody has asked it anything for a while.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from filelock import FileLock, Timeout

from undercard import settings
from undercard.errors import UndercardError
from undercard.store import write_atomically

Message: TypeAlias = MutableMapping[str, Any]
Asgi: TypeAlias = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

START_SECONDS = 120.0
"""A cold machine compiles the server's modules and creates its database first."""
IDLE_SECONDS = 1800.0
SERVER_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # One at a time, the server records 33 task runs a second on SQLite; in batches about three times that.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "100",
}


class ServerDidNotStart(UndercardError):
    """The local Prefect server ended, or was not ready in time."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server on loopback."""

    url: str
    """Where its API answers, ending in `/api`."""
    pid: int

    @property
    def dashboard(self) -> str:
        """Where a browser sees it."""
        return self.url.removesuffix("/api")


@dataclass(slots=True)
class Starting:
    """A server that is there, or on its way: it starts while the caller does something else."""

    state: Path
    process: subprocess.Popen[bytes] | None
    """None where a server was there already."""
    lock: FileLock
    """Held until the server answers, so that a second terminal waits for it and starts none."""

    def ready(self) -> LocalServer:
        """Wait until the server answers.

        Raises:
            ServerDidNotStart: it ended, or took longer than `START_SECONDS`.
        """
        log = self.state.with_suffix(".log")
        deadline = time.monotonic() + START_SECONDS
        try:
            while (server := self._answering()) is None:
                if self.process is not None and self.process.poll() is not None:
                    raise ServerDidNotStart(f"the local Prefect server ended with {self.process.returncode}; see {log}")
                if time.monotonic() > deadline:
                    raise ServerDidNotStart(
                        f"the local Prefect server was not ready in {START_SECONDS:.0f} s; see {log}"
                    )
                time.sleep(0.1)
        finally:
            self.lock.release()
        return server

    def _answering(self) -> LocalServer | None:
        server = _remembered(self.state)
        mine = server is not None and (self.process is None or server.pid == self.process.pid)
        return server if server is not None and mine and answers(server) else None


def borrow(state: Path) -> Starting:
    """Return the server that *state* (a JSON file) remembers if it still answers, else start one.

    Raises:
        ServerDidNotStart: another process is starting one, and has not been ready for too long.
    """
    state.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(state.with_suffix(".lock"), timeout=START_SECONDS, thread_local=False)
    try:
        lock.acquire()
    except Timeout as exc:
        raise ServerDidNotStart(
            f"another undercard has been starting a Prefect server for {START_SECONDS:.0f} s; end it, or set"
            " PREFECT_API_URL to a server of your own"
        ) from exc
    remembered = _remembered(state)
    if remembered is not None and answers(remembered):
        return Starting(state, None, lock)
    with state.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(state)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=settings.child_environment(SERVER_ENVIRONMENT),
            # Its own session, so that Ctrl-C on a render does not reach it.
            start_new_session=True,
            cwd=Path(__file__).parents[2],
        )
    return Starting(state, process, lock)


def answers(server: LocalServer) -> bool:
    """Ask the server for its health."""
    try:
        with urllib.request.urlopen(f"{server.url}/health", timeout=2) as response:  # noqa: S310 (always loopback)
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _remembered(state: Path) -> LocalServer | None:
    try:
        return LocalServer(**json.loads(state.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


@dataclass(slots=True)
class Watched:
    """An ASGI application that remembers when it was last asked something."""

    app: Asgi
    last_asked: float

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Pass one request or connection on."""
        self.last_asked = time.monotonic()
        await self.app(scope, receive, send)
        self.last_asked = time.monotonic()


def serve(state: Path, idle_seconds: float = IDLE_SECONDS) -> None:
    """Serve Prefect on loopback until nobody has asked anything for *idle_seconds*, and write into *state* where."""
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_UI_API_URL, temporary_settings

    # Bound before it is told to anybody, so that no other program can take the port.
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    here = LocalServer(f"http://127.0.0.1:{listening.getsockname()[1]}/api", os.getpid())
    write_atomically(state, json.dumps(asdict(here)).encode())

    async def run() -> None:
        watched = Watched(create_app(final=True), time.monotonic())
        server = uvicorn.Server(uvicorn.Config(watched, log_level="warning", lifespan="on"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not serving.done():
            await asyncio.sleep(min(5.0, idle_seconds / 4))
            if time.monotonic() - watched.last_asked > idle_seconds:
                server.should_exit = True
                await serving

    # The pages look for the API where they are told, which is port 4200 unless said otherwise.
    with temporary_settings({PREFECT_UI_API_URL: here.url}):
        asyncio.run(run())


if __name__ == "__main__":
    serve(Path(sys.argv[1]))

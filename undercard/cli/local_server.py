"""This machine's Prefect server: borrowed by a terminal run when none is configured, or kept up for a worker.

A temporary server a run would cost every command 15 s or more; this one is found again by the next command and shows
its runs in a browser. It ends when nobody has asked it anything for half an hour, unless `keep` asked it to stay.
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

import psutil
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
END_SECONDS = 20.0
ANSWER_SECONDS = 10.0
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
    # In memory, the slots of runs would be lost for good when the server restarts.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    # Old events and runs leave the database, after 90 days by default.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
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
        server = remembered_in(self.state)
        mine = server is not None and (self.process is None or server.pid == self.process.pid)
        return server if server is not None and mine and answers(server) else None


def state_file() -> Path:
    """Return the file that says where this machine's server is: beside its database, which two must not share."""
    from prefect.settings import PREFECT_HOME

    return Path(PREFECT_HOME.value()) / "undercard-server.json"


def borrow(state: Path, port: int = 0) -> Starting:
    """Return the server that *state* (a JSON file) remembers if it still answers, else start one.

    Args:
        state: where it writes its address.
        port: where a new one listens; 0 for whichever port is free.

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
    remembered = remembered_in(state)
    if remembered is not None and answers(remembered):
        return Starting(state, None, lock)
    with state.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(state), str(port)],
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


def require_answer(url: str) -> None:
    """Return if something answers at *url*, the API of a configured server.

    Raises:
        ServerDidNotStart: nothing does.
    """
    import httpx

    try:
        httpx.get(f"{url}/health", timeout=ANSWER_SECONDS)
    except httpx.TransportError as exc:
        raise ServerDidNotStart(
            f"Prefect's server at {url}, which PREFECT_API_URL names, does not answer ({exc}); start it, or run"
            " `prefect config unset PREFECT_API_URL`: without it undercard starts a server on this machine by itself"
        ) from exc


def remembered_in(state: Path) -> LocalServer | None:
    """Return the server that *state* remembers, whether or not it is still there; None where it remembers none."""
    try:
        return LocalServer(**json.loads(state.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def keep(state: Path) -> None:
    """Let the server of *state* stay when nobody asks it anything, until it is ended."""
    write_atomically(state.with_suffix(".keep"), b"")


def is_kept(state: Path) -> bool:
    """Say whether `keep` was asked for."""
    return state.with_suffix(".keep").exists()


def end(state: Path) -> bool:
    """End the server of *state*; return whether there was one."""
    state.with_suffix(".keep").unlink(missing_ok=True)
    server = remembered_in(state)
    # Only a server that answers is the one that was written down: its number may be another process's by now.
    if server is None or not answers(server):
        return False
    end_process(psutil.Process(server.pid))
    state.unlink(missing_ok=True)
    return True


def end_process(process: psutil.Process) -> None:
    """Ask *process* to end, and end it if it has not after `END_SECONDS`."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()


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


def serve(state: Path, idle_seconds: float = IDLE_SECONDS, port: int = 0) -> None:
    """Serve Prefect on loopback until nobody has asked anything for *idle_seconds*, and write into *state* where.

    Raises:
        OSError: something else listens at *port*.
    """
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_SERVER_CORS_ALLOWED_ORIGINS, PREFECT_UI_API_URL, temporary_settings

    # Bound before it is told to anybody, so that no other program can take the port.
    listening = socket.socket()
    # A server that was ended a moment ago leaves its port waiting.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    here = LocalServer(f"http://127.0.0.1:{listening.getsockname()[1]}/api", os.getpid())
    write_atomically(state, json.dumps(asdict(here)).encode())

    async def run() -> None:
        watched = Watched(create_app(final=True), time.monotonic())
        server = uvicorn.Server(uvicorn.Config(watched, log_level="warning", lifespan="on"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not serving.done():
            await asyncio.sleep(min(5.0, idle_seconds / 4))
            if time.monotonic() - watched.last_asked > idle_seconds and not is_kept(state):
                server.should_exit = True
                await serving

    # The pages look for the API where they are told, which is port 4200 unless said otherwise. Pages of other sites may
    # ask it nothing.
    with temporary_settings({PREFECT_UI_API_URL: here.url, PREFECT_SERVER_CORS_ALLOWED_ORIGINS: here.dashboard}):
        asyncio.run(run())


if __name__ == "__main__":
    serve(Path(sys.argv[1]), port=int(sys.argv[2]))

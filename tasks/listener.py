"""Prefect's server as a listener that may go away: a run loses nothing by it, and goes on."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL

from undercard.production.runtime import Log

T = TypeVar("T")

LISTEN_SECONDS = 5.0
"""How long a server may take to say that it is there; the run waits meanwhile."""


@dataclass(slots=True)
class Listener:
    """The configured server, as far as it listens."""

    log: Log
    away: bool = False

    def tell(self, what: Callable[..., T], *args: Any, **kwargs: Any) -> T | None:
        """Call *what*, which tells the server something; None where the server does not listen."""
        try:
            # Prefect itself asks again for more than a minute, and raises then. Without an address it starts a server.
            if url := PREFECT_API_URL.value():
                httpx.get(f"{url}/health", timeout=LISTEN_SECONDS)
            answer = what(*args, **kwargs)
        except httpx.TransportError as exc:
            if not self.away:
                self.log.warning("Prefect's server does not answer (%s); the run goes on without it", exc)
            self.away = True
            return None
        if self.away:
            self.log.info("Prefect's server answers again")
        self.away = False
        return answer


def hush(quiet: bool) -> None:
    """Let Prefect say nothing, or something again, of each event that it could not tell its server."""
    for name in ("prefect._internal.concurrency", "prefect.events.clients", "prefect.EventsWorker"):
        logger = logging.getLogger(name)
        # Not its level: Prefect sets those anew when a flow begins.
        (logger.addFilter if quiet else logger.removeFilter)(_nothing)


def _nothing(_record: logging.LogRecord) -> bool:
    return False


def forget_events() -> None:
    """Drop the events and log lines that wait for a server that has gone.

    When a process ends, Prefect tries each for seven seconds: an hour for five hundred task runs.
    """
    # What is told while the process ends fails as well, a line each.
    hush(True)
    services: dict[int, Any] = EventsWorker._instances  # type: ignore[misc]  # one of each kind, whatever it queues
    for service in list(services.values()):
        with suppress(queue.Empty):
            while True:
                service._queue.get_nowait()
                service._queue.task_done()

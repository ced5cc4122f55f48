"""A ComfyUI that runs already: what its keyframes take of its card and of the host, seen from outside."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import psutil

from benchmarks.engine_meter import Peaks, resident_gb
from benchmarks.engine_rows import GB
from undercard.backends.comfy.client import Client
from undercard.hardware import nvml

LOOK_SECONDS = 0.02
"""Between two looks at the card: what is held for less is missed."""
FREE_SECONDS = 2.0
"""That it takes to give back what it held, looking at its queue once a second."""


@dataclass(slots=True)
class Server:
    """One that is watched."""

    process: int | None
    """Its number; None where it runs on another machine."""
    idle_bytes: int
    """Free on its card while it held no model; 0 where there is no card."""
    version: str
    least_bytes: int = field(init=False)
    """Free on the card at the least, since."""

    def __post_init__(self) -> None:
        self.least_bytes = self.idle_bytes

    def look(self) -> None:
        """Note what is free now."""
        self.least_bytes = min(self.least_bytes, _free_bytes())

    def peaks(self) -> Peaks:
        """Return the most that it took of its card, context apart, and had in host memory since it began."""
        taken = round((self.idle_bytes - self.least_bytes) / GB, 2) if self.idle_bytes else None
        # What its allocator holds and what it hands out look alike from here.
        return Peaks(taken, None, resident_gb(self.process) if self.process else 0.0, None)


@contextmanager
def watched(url: str) -> Iterator[Server]:
    """Let the server at *url* forget what it holds and has rendered, and watch it for as long as the context lasts.

    Raises:
        ServerGone: it does not answer.
    """
    with Client(url) as client:
        client.free()
        version = str(httpx.get(f"{url.rstrip('/')}/system_stats", trust_env=False).json()["system"]["comfyui_version"])
    time.sleep(FREE_SECONDS)
    server, over = Server(_process_at(url), _free_bytes(), version), threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_SECONDS):
            server.look()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield server
    finally:
        over.set()
        watching.join()


def _free_bytes() -> int:
    return next((card.free_bytes for card in nvml.cards()), 0)


def _process_at(url: str) -> int | None:
    """Return the number of the process that listens on this machine's port of *url*."""
    listening = (each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN)
    return next((each.pid for each in listening if each.laddr.port == urlsplit(url).port), None)

"""The child process of a session: opens one backend, renders what it is asked for, and ends with its parent.

child.py starts it and holds the other end of its pipe.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TypeAlias

from undercard import backends
from undercard.backends import Renderer, Rung
from undercard.domain import progress
from undercard.domain.progress import Stage
from undercard.domain.requests import RenderRequest, Size
from undercard.errors import BackendError, HostMemoryExhausted, UndercardError
from undercard.hardware.devices import Device
from undercard.hardware.host_memory import peak_host_bytes
from undercard.settings import Settings


@dataclass(frozen=True, slots=True)
class Opening:
    """What the parent says first."""

    folders: tuple[str, ...]
    """Where backends are looked for."""
    device: Device
    rung: Rung
    settings: Settings


@dataclass(frozen=True, slots=True)
class Encode:
    """Prepare these requests."""

    requests: tuple[RenderRequest, ...]


@dataclass(frozen=True, slots=True)
class Render:
    """Render this request."""

    request: RenderRequest


@dataclass(frozen=True, slots=True)
class Ready:
    """The backend is open, or what was announced is prepared."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered picture, as plain bytes."""

    size: Size
    rgb: bytes
    seconds: float
    peak_vram_bytes: int
    peak_host_bytes: int
    notes: tuple[str, ...]
    tiled: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """What was asked for failed."""

    error: UndercardError
    peak_vram_bytes: int
    """As the backend noted it in the error; 0 when it did not."""
    peak_host_bytes: int


Asked: TypeAlias = Opening | Encode | Render
Told: TypeAlias = Ready | Picture | Failure | Stage


def main(descriptor: int) -> None:
    """Serve the parent at the other end of *descriptor* until it hangs up."""
    # Ctrl-C reaches every process of a terminal; it is the parent who decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(descriptor)
    asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
    opening: Opening = connection.recv()
    threading.Thread(target=_listen, args=(connection, asked), daemon=True).start()
    backends.__path__[:] = opening.folders
    with progress.listening(connection.send):
        try:
            progress.tell("open")
            opened = backends.backend(opening.rung.backend).open(opening.device, opening.rung, opening.settings)
            with opened as renderer:
                connection.send(Ready())
                while True:
                    connection.send(_answer(renderer, asked.get()))
        except Exception as exc:  # noqa: BLE001  # whatever it is, the parent is to hear of it
            connection.send(_failure(exc))


def _listen(connection: Connection, asked: queue.SimpleQueue[Asked]) -> None:
    """Pass on what the parent asks, and end the process when it is gone, even in the middle of a picture."""
    while True:
        try:
            asked.put(connection.recv())
        except (EOFError, OSError):
            # Not sys.exit: the main thread may be in a kernel of the card for a long time.
            os._exit(0)


def _answer(renderer: Renderer, asked: Asked) -> Told:
    answer: Callable[[], Told]
    match asked:
        case Render(request=request):
            progress.tell("denoise")
            answer = lambda: _picture(renderer, request)  # noqa: E731  # the two share what follows
        case Encode(requests=requests):
            progress.tell("encode")
            answer = lambda: _encoded(renderer, requests)  # noqa: E731
        case Opening():
            raise AssertionError("a child opens once")
    try:
        return answer()
    except Exception as exc:  # noqa: BLE001  # whatever it is, the parent is to hear of it
        return _failure(exc)


def _encoded(renderer: Renderer, requests: tuple[RenderRequest, ...]) -> Ready:
    renderer.encode(requests)
    return Ready()


def _picture(renderer: Renderer, request: RenderRequest) -> Picture:
    rendered = renderer.render(request)
    return Picture(
        size=rendered.image.size,
        rgb=rendered.image.convert("RGB").tobytes(),
        seconds=rendered.seconds,
        peak_vram_bytes=rendered.peak_vram_bytes,
        peak_host_bytes=rendered.peak_host_bytes or peak_host_bytes(),
        notes=rendered.notes,
        tiled=rendered.tiled,
    )


def _failure(error: Exception) -> Failure:
    """Return *error* in a form that passes between processes: those of undercard as themselves."""
    peak_vram_bytes = error.peak_vram_bytes if isinstance(error, BackendError) else 0
    if isinstance(error, MemoryError):
        error = HostMemoryExhausted(f"no host memory is left: {error}")
    if not isinstance(error, UndercardError) or not _passes(error):
        error = BackendError(f"{type(error).__name__}: {error}")
    return Failure(error, peak_vram_bytes, peak_host_bytes())


def _passes(error: UndercardError) -> bool:
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)  # noqa: S301  # bytes that this line made
    except Exception:  # noqa: BLE001  # a pickler may raise anything
        return False

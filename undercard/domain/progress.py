"""How far a run is and how long it will still take, for whoever watches it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True)
class Meter:
    """Counts work in estimated seconds; what was cached counts as done but does not make the rest look faster."""

    clock: Callable[[], float] = time.monotonic
    expected: float = 0.0
    worked: float = 0.0
    skipped: float = 0.0
    step: str = ""
    started: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, cost: float) -> None:
        """Add work to come."""
        with self.lock:
            self.expected += cost

    def work(self, cost: float, step: str) -> None:
        """Count work as done; *step* says what it was."""
        with self.lock:
            self.worked += cost
            self.step = step

    def skip(self, cost: float, step: str) -> None:
        """Count work as not needed: an earlier run did it, or a failure before it made it moot."""
        with self.lock:
            self.skipped += cost
            self.step = step

    def say(self, step: str) -> None:
        """Tell what is being done, before any of it counts as done."""
        with self.lock:
            self.step = step

    def begin(self) -> None:
        """Start the clock: what comes before the first piece of work says nothing about the rest."""
        with self.lock:
            if self.started is None:
                self.started = self.clock()

    @property
    def fraction(self) -> float:
        """How much is done, 0…1."""
        return min(1.0, (self.worked + self.skipped) / self.expected) if self.expected else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take at the pace so far; None before there is a pace."""
        if self.started is None or self.worked <= 0.0:
            return None
        pace = (self.clock() - self.started) / self.worked
        return max(0.0, self.expected - self.worked - self.skipped) * pace


_current: ContextVar[Meter | None] = ContextVar("undercard_meter", default=None)


def current() -> Meter:
    """Return the meter that somebody watches, or one that nobody does."""
    return _current.get() or Meter()


@contextmanager
def watching(meter: Meter) -> Iterator[None]:
    """Make *meter* the one that runs in this context report to."""
    token = _current.set(meter)
    try:
        yield
    finally:
        _current.reset(token)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a renderer is in a picture."""

    name: str
    """`open`, `encode`, `denoise` or `decode`; `wait` where a server does other work first."""
    step: int = 0
    """From 1; 0 where the stage has no steps."""
    steps: int = 0

    def __str__(self) -> str:
        return f"{self.name} {self.step}/{self.steps}" if self.steps else self.name


_listener: ContextVar[Callable[[Stage], None] | None] = ContextVar("undercard_listener", default=None)


def tell(name: str, step: int = 0, steps: int = 0) -> None:
    """Say where the renderer of this context is, to whoever listens; a sign of life, too."""
    listener = _listener.get()
    if listener is not None:
        listener(Stage(name, step, steps))


@contextmanager
def listening(listener: Callable[[Stage], None]) -> Iterator[None]:
    """Let *listener* hear what renderers of this context tell."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)

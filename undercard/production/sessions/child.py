"""The parent's view of a session's child process: what it asks, what it hears, and what the process's end means."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import IO, Self, TypeVar

import psutil

from undercard import settings
from undercard.domain.progress import Stage
from undercard.domain.requests import RenderRequest
from undercard.domain.units import gigabytes
from undercard.errors import BackendError, DeviceFault, HostMemoryExhausted
from undercard.hardware import host_memory
from undercard.production.sessions.worker import Asked, Failure, Picture, Ready, Told

T = TypeVar("T", Ready, Picture)

PROGRAM = "import sys; from undercard.production.sessions.worker import main; main(int(sys.argv[1]))"
"""Not `-m`, which would name the classes of the messages after `__main__`."""
TICK_SECONDS = 0.5
END_SECONDS = 10.0
FAULTS = frozenset(one for one in signal.Signals if one.name in {"SIGABRT", "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE"})
"""What CUDA's libraries and drivers end a process with when the device fails, by names: Windows has no SIGBUS."""
KILLED = -9
"""SIGKILL, which Windows does not name: what the kernel ends a process with that takes too much host memory."""
LAST_WORDS_BYTES = 2_000


@dataclass(slots=True)
class Child:
    """A running child process."""

    process: subprocess.Popen[bytes]
    connection: Connection
    log: IO[bytes]
    """What it and its libraries print."""
    listen: Callable[[Stage], None]
    opened: bool = False
    open_seconds: float = 0.0
    pictures: int = 0
    ended: bool = False
    prepared: tuple[RenderRequest, ...] = ()
    stage: Stage = field(default_factory=lambda: Stage("open"))
    peak_host_bytes: int = 0
    least_free_bytes: int = sys.maxsize
    """Of the host's memory, while it ran."""

    @classmethod
    def start(cls, variables: dict[str, str], listen: Callable[[Stage], None]) -> Self:
        """Start a child with *variables* in its environment."""
        ours, theirs = multiprocessing.Pipe()
        log = tempfile.TemporaryFile()  # noqa: SIM115  # `end` closes it
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=settings.child_environment(variables),
                pass_fds=[theirs.fileno()],
            )
        return cls(process, ours, log, listen)

    @property
    def serves(self) -> bool:
        """It is open and waits for the next request."""
        return self.opened and not self.ended and self.process.poll() is None

    def ask(self, asked: Asked) -> None:
        """Send *asked*; a child that is gone shows when its answer is waited for."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(asked)

    def wait(self, kind: type[T], hang_seconds: float) -> T:
        """Return the answer, which is a *kind*.

        Raises:
            BackendError: what the child failed with, how it died, or that it hangs.
        """
        deadline = time.monotonic() + hang_seconds
        while True:
            told = self._told()
            if isinstance(told, kind):
                return told
            if isinstance(told, Failure):
                self.peak_host_bytes = max(self.peak_host_bytes, told.peak_host_bytes)
                if isinstance(told.error, BackendError):
                    told.error.peak_vram_bytes = told.peak_vram_bytes
                raise told.error
            if isinstance(told, Stage):
                self.stage = told
                self.listen(told)
                deadline = time.monotonic() + hang_seconds
            elif time.monotonic() > deadline:
                self.process.kill()
                raise DeviceFault(f"no sign of life for {hang_seconds:.0f} s at {self.stage}; the process was ended")

    def _told(self) -> Told | None:
        """Wait a moment for what the child says; its memory is looked at meanwhile."""
        try:
            if self.connection.poll(TICK_SECONDS):
                told: Told = self.connection.recv()
                return told
        except (EOFError, OSError):
            raise self._death() from None
        self._sample()
        return None

    def _sample(self) -> None:
        with suppress(psutil.Error):
            held = psutil.Process(self.process.pid).memory_info().rss
            self.peak_host_bytes = max(self.peak_host_bytes, held)
        self.least_free_bytes = min(self.least_free_bytes, host_memory.look().free_bytes)

    def _death(self) -> BackendError:
        """Return what the end of the process means."""
        if self.ended:
            return BackendError(f"the session was closed at {self.stage}")
        try:
            code = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        words = self._last_words()
        if code == KILLED:
            free = min(self.least_free_bytes, host_memory.look().free_bytes)
            return HostMemoryExhausted(
                f"the process was killed at {self.stage}, holding {gigabytes(self.peak_host_bytes)} of host memory;"
                f" {gigabytes(free)} were free at the least"
            )
        if -code in FAULTS:
            return DeviceFault(f"the process crashed at {self.stage} with {signal.Signals(-code).name}{words}")
        return BackendError(f"the process ended at {self.stage} with status {code}{words}")

    def _last_words(self) -> str:
        self.log.seek(0, 2)
        self.log.seek(max(0, self.log.tell() - LAST_WORDS_BYTES))
        lines = [line.strip() for line in self.log.read().decode(errors="replace").splitlines() if line.strip()]
        return f": {lines[-1]}" if lines else ""

    def end(self) -> None:
        """Hang up, and see to it that the process is gone with all it holds."""
        self.ended = True
        # Hanging up would do, but a process inside the driver may be slow to hear it.
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self.log.close()

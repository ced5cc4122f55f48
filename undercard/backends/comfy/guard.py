"""The process that takes a job from the server when the one that waits for it is killed.

Nothing that is killed can do so itself, and a server works on for minutes for nobody. This program is started by the
process that renders, reads from it which jobs are under way, and when there is nothing more to read, cancels those.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO

from undercard.errors import BackendError

PROGRAM = "from undercard.backends.comfy.guard import main; main()"
END_SECONDS = 10.0


@dataclass(slots=True)
class Guard:
    """The end of the pipe that the guarded process holds; the program starts at the first job."""

    url: str
    process: subprocess.Popen[str] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def watching(self, job: str) -> Iterator[None]:
        """Have *job* cancelled if this process ends within the context."""
        self._start()
        self._say(f"begin {job}")
        try:
            yield
        finally:
            self._say(f"end {job}")

    def close(self) -> None:
        """Let the program end; what it still watches it cancels."""
        with self.lock:
            process = self._let_go()
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)

    def _say(self, line: str) -> None:
        # Without its guard a job is rendered all the same.
        with self.lock, suppress(OSError):
            if self.process is not None:
                print(line, file=self.process.stdin, flush=True)

    def _start(self) -> None:
        """Start the program unless it runs."""
        with self.lock, suppress(OSError):
            if self.process is not None and self.process.poll() is None:
                return
            self._let_go()
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
                # Ctrl-C and a closing terminal end every process of its session, and this one is to outlive them.
                start_new_session=True,
            )
            # In the pipe rather than on the command line, which everybody can read: it may hold a password.
            print(self.url, file=self.process.stdin, flush=True)

    def _let_go(self) -> subprocess.Popen[str] | None:
        """Hang up on the program that there is, and return it."""
        process, self.process = self.process, None
        if process is not None and process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        return process


def main(lines: IO[str] | None = None) -> None:
    """Read the server's address and which jobs begin and end, and cancel those that are left at the end."""
    lines = lines or sys.stdin
    url = lines.readline().strip()
    left: dict[str, None] = {}
    for line in lines:
        verb, _, job = line.strip().partition(" ")
        if verb == "begin":
            left[job] = None
        else:
            left.pop(job, None)
    cancel(url, list(left))


def cancel(url: str, jobs: list[str]) -> None:
    """Take *jobs* from the server at *url*, if it is there."""
    if not jobs:
        return
    # Most of these processes end without anything to ask.
    from undercard.backends.comfy.client import Client

    with Client(url) as client:
        for job in jobs:
            with suppress(BackendError):
                client.cancel(job)

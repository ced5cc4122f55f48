"""Taking turns with other processes and threads: at a film, at a card, at a file that is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from undercard.errors import StoreError

WRITING_SECONDS = 60.0
"""How long to wait for another process that only writes a file, which takes it a few milliseconds."""
EVERYBODY = 0o666
"""Several users of a machine take turns at its cards."""


@contextmanager
def turn(path: Path, wait: Callable[[], object]) -> Iterator[bool]:
    """Keep every other run away from what *path* stands for; yield whether one had to be waited for.

    The turn of a process that dies ends with it, at once.

    Args:
        path: need not exist; its folder is made.
        wait: called before this run waits for another one.

    Raises:
        StoreError: it cannot be written.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(_lock(path, 0.0))
            waited = False
        except Timeout:
            wait()
            stack.enter_context(_lock(path, -1.0))
            waited = True
        yield waited


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep out other processes and threads that lock the same *path* to write it.

    Raises:
        StoreError: the lock cannot be written, or somebody has had it for `WRITING_SECONDS`.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(_lock(path, WRITING_SECONDS))
        except Timeout as exc:
            raise StoreError(
                f"{path} was locked by another process for {WRITING_SECONDS:.0f} s; try again when that has ended"
            ) from exc
        yield


@contextmanager
def _lock(path: Path, seconds: float) -> Iterator[None]:
    """Lock *path*, which need not exist; wait for that many *seconds*, or for as long as it takes if negative."""
    # Threads of a pool may enter and leave it.
    lock = FileLock(
        path.with_name(f".{path.name.removeprefix('.')}.lock"), timeout=seconds, mode=EVERYBODY, thread_local=False
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise
    except OSError as exc:
        raise StoreError(f"cannot write in {path.parent}: {exc.strerror}; free space or set UNDERCARD_STORE") from exc
    try:
        yield
    finally:
        lock.release()

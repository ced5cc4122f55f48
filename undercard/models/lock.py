"""`data/models.lock`: which commit a revision was resolved to, and which files were fetched and verified, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from undercard.errors import BadInput
from undercard.settings import Settings
from undercard.store import write_atomically

COMMIT = r"^[0-9a-f]{40}$"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pin(_Entry):
    """What a revision was resolved to when it was first asked for."""

    repository: str
    revision: str
    commit: str = Field(pattern=COMMIT)


class Verified(_Entry):
    """A file whose size and SHA-256 are what the hub says that they are."""

    repository: str
    commit: str = Field(pattern=COMMIT)
    file: str
    """From the repository's root."""
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    path: Path
    """Where it lies on this machine."""
    at: datetime


class Lock(_Entry):
    """What is known; the newest entry of a path or a revision holds."""

    version: Literal[1] = 1
    pins: tuple[Pin, ...] = ()
    files: tuple[Verified, ...] = ()

    def commit(self, repository: str, revision: str) -> str | None:
        """Return the commit that *revision* of *repository* was resolved to; a commit is one already."""
        if revision != "main":
            return revision
        found = (pin.commit for pin in self.pins if (pin.repository, pin.revision) == (repository, revision))
        return next(found, None)

    def verified(self, path: Path) -> Verified | None:
        """Return what is known about the file at *path*; None where nothing is, or its size is another now."""
        for entry in self.files:
            if entry.path == path and path.is_file() and path.stat().st_size == entry.bytes:
                return entry
        return None


def read(settings: Settings) -> Lock:
    """Return what is known on this machine; nothing where nothing was fetched yet.

    Raises:
        BadInput: the file is not what `undercard provision` writes.
    """
    path = settings.models_lock
    try:
        return Lock.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Lock()
    except (OSError, ValidationError) as exc:
        reason = exc.errors()[0]["msg"] if isinstance(exc, ValidationError) else exc.strerror
        raise BadInput(
            f"{path} cannot be read: {reason}; move it away, and `undercard provision` writes a new one"
        ) from exc


def pin(settings: Settings, repository: str, revision: str, commit: str) -> None:
    """Note that *revision* of *repository* is *commit* from now on."""
    entry = Pin(repository=repository, revision=revision, commit=commit)

    def with_pin(lock: Lock) -> Lock:
        others = [each for each in lock.pins if (each.repository, each.revision) != (repository, revision)]
        return lock.model_copy(update={"pins": tuple(sorted((*others, entry), key=lambda each: each.repository))})

    _change(settings, with_pin)


def note(settings: Settings, repository: str, commit: str, file: str, path: Path, size_bytes: int, sha256: str) -> None:
    """Note that the file at *path* was verified just now."""
    entry = Verified(
        repository=repository,
        commit=commit,
        file=file,
        bytes=size_bytes,
        sha256=sha256,
        path=path,
        at=datetime.now(UTC).replace(microsecond=0),
    )

    def with_file(lock: Lock) -> Lock:
        others = [each for each in lock.files if each.path != path]
        ordered = sorted((*others, entry), key=lambda each: (each.repository, each.file, str(each.path)))
        return lock.model_copy(update={"files": tuple(ordered)})

    _change(settings, with_file)


def forget(settings: Settings, path: Path) -> None:
    """Note that nothing is known any more about the file at *path*."""
    _change(
        settings,
        lambda lock: lock.model_copy(update={"files": tuple(each for each in lock.files if each.path != path)}),
    )


def _change(settings: Settings, change: Callable[[Lock], Lock]) -> None:
    """Write what *change* makes of what is known; no other process writes between the reading and the writing."""
    path = settings.models_lock
    with guarded(path):
        write_atomically(path, change(read(settings)).model_dump_json(indent=1).encode() + b"\n")


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Keep other processes and threads out that guard the same *path*; a process that ends lets go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.guard")):
        yield

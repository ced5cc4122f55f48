"""Fetching a file from the hub: resumed where it broke off, verified before it gets its name, never mixed with another.

A file arrives as `.<name>.<digest>.part`, so that what is left of one version is not taken for another's, and is
renamed once its size and digest are the hub's. What is not as it should be is moved aside under a telling name.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import filelock
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from undercard.domain.progress import Meter
from undercard.errors import BadCheckpoint, BadDownload, HubUnreachable, NoRoom
from undercard.models.hub import Hub, RemoteFile
from undercard.settings import Settings
from undercard.store import FULL

TRIES = 6
"""In a row without a byte; the pauses between them, 1 to 16 s, add up to half a minute."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 16.0
LOOK_SECONDS = 0.2
"""How often somebody who waits for another process looks whether to stop."""
HASH_BYTES = 1 << 22
QUARANTINED = ".quarantined-"
"""After the name of what was moved aside, with a number: no loader takes it for weights."""

Proof = Callable[[Path], None]
"""Raises BadCheckpoint where a file is not what the catalogue takes it for."""


class Stopped(Exception):
    """Another file failed, or the user stopped: this one is left as it is, to be resumed."""


@dataclass(slots=True)
class Fetcher:
    """Fetches files of one hub; several threads may use it at once."""

    hub: Hub
    meter: Meter
    """Counts bytes."""
    settings: Settings
    """Say where models are kept."""
    notes: list[str] = field(default_factory=list)
    """What was moved aside, and why."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set to leave: what arrived so far is kept."""
    first_pause: float = FIRST_PAUSE_SECONDS

    def fetch(self, remote: RemoteFile, target: Path, prove: Proof | None = None, *, ours: bool = True) -> str:
        """Bring *remote* to *target*, unless it is there already, and return its SHA-256.

        Args:
            remote: what to fetch.
            target: where to.
            prove: asked about the file before it gets its name.
            ours: what lies at *target* and is another file may be moved aside; somebody else's is left alone.

        Raises:
            HubUnreachable: the hub cannot be reached, or not any more; what arrived is kept.
            HubRefused: the hub does not give the file.
            BadDownload: what arrived is not what the hub says, twice; or it is not what *prove* wants.
            NoRoom: the disk is full.
            Stopped: `stop` was set.
        """
        if not ours and target.exists():
            # Nothing is written where nothing is ours.
            sha256, problem = self._verified(remote, target, prove)
            if problem is not None:
                raise BadDownload(f"{target} is not {remote.path} of {remote.repository}: {problem}; move it away")
            self.meter.skip(remote.size_bytes, target.name)
            return sha256
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._alone(target):
                return self._fetch(remote, target, prove)
        except OSError as exc:
            if exc.errno not in FULL:
                raise
            raise NoRoom(
                f"no room for {target}: {exc.strerror}; free some, or set UNDERCARD_MODEL_STORE to another disk, "
                "and run the same command again: what arrived is kept"
            ) from exc

    @staticmethod
    def left(remote: RemoteFile, target: Path) -> int:
        """Return the bytes of *remote* that are still to come to *target*."""
        if target.is_file() and target.stat().st_size == remote.size_bytes:
            return 0
        part = _part(remote, target)
        return max(0, remote.size_bytes - (part.stat().st_size if part.is_file() else 0))

    @contextmanager
    def _alone(self, target: Path) -> Iterator[None]:
        """Keep other processes and threads from fetching to the same *target*."""
        guard = filelock.FileLock(self._guard(target))
        while True:
            try:
                guard.acquire(timeout=LOOK_SECONDS)
                break
            except filelock.Timeout:
                self.meter.say(f"another process fetches {target.name}")
                if self.stop.is_set():
                    raise Stopped from None
        try:
            yield
        finally:
            guard.release()

    def _guard(self, target: Path) -> Path:
        """Return the file whose lock stands for *target*: not beside it, where people look."""
        folder = self.settings.model_store_root / ".guards"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / hashlib.sha256(str(target).encode()).hexdigest()[:32]

    def _fetch(self, remote: RemoteFile, target: Path, prove: Proof | None) -> str:
        if target.exists():
            # Another process brought it while this one waited, or an earlier one ended before it could note that.
            sha256, problem = self._verified(remote, target, prove)
            if problem is None:
                self.meter.skip(remote.size_bytes, target.name)
                return sha256
            self._set_aside(target, target.name, problem)
        part = _part(remote, target)
        self._download(remote, part)
        sha256, problem = self._verified(remote, part, None)
        if problem is not None:
            self.meter.skip(-remote.size_bytes, target.name)
            self._set_aside(part, target.name, problem, room_for=remote.size_bytes)
            self._download(remote, part)
            sha256, problem = self._verified(remote, part, None)
        if problem is not None:
            self._set_aside(part, target.name, problem)
            raise BadDownload(
                f"{remote.path} of {remote.repository} did not arrive as {self.hub.address} describes it, twice: "
                f"{problem}; if HF_ENDPOINT names a mirror, try another"
            )
        self._prove(remote, part, target, prove)
        _give_name(part, target)
        return sha256

    def _prove(self, remote: RemoteFile, part: Path, target: Path, prove: Proof | None) -> None:
        try:
            if prove is not None:
                prove(part)
        except BadCheckpoint as exc:
            # What the hub holds is this, so it would be the same the next time.
            self._set_aside(part, target.name, str(exc))
            raise BadDownload(f"{remote.path} of {remote.repository} arrived whole, but {exc}") from exc

    def _verified(self, remote: RemoteFile, path: Path, prove: Proof | None) -> tuple[str, str | None]:
        """Return the SHA-256 of the file at *path*, and what is wrong with it, if anything."""
        size = path.stat().st_size
        if size != remote.size_bytes:
            return "", f"it has {size} bytes, not {remote.size_bytes}"
        self.meter.say(f"verifying {remote.path}")
        sha256, blob = _digests(path, self.stop, with_blob=remote.sha256 is None)
        if remote.sha256 is not None and sha256 != remote.sha256:
            return sha256, f"its SHA-256 begins with {sha256[:12]}, not {remote.sha256[:12]}"
        if remote.sha256 is None and blob != remote.blob:
            return sha256, f"its digest begins with {blob[:12]}, not {remote.blob[:12]}"
        try:
            if prove is not None:
                prove(path)
        except BadCheckpoint as exc:
            return sha256, str(exc)
        return sha256, None

    def _download(self, remote: RemoteFile, part: Path) -> None:
        """Bring *part* to its full length, from where it ends."""
        part.touch()
        self.meter.skip(part.stat().st_size, remote.path)
        retrying = Retrying(
            retry=retry_if_exception_type(HubUnreachable),
            stop=stop_after_attempt(TRIES),
            wait=wait_exponential(self.first_pause, max=LONGEST_PAUSE_SECONDS),
            sleep=self._pause,
            reraise=True,
        )
        while part.stat().st_size < remote.size_bytes:
            retrying(self._advance, remote, part)

    def _advance(self, remote: RemoteFile, part: Path) -> None:
        """Bring *part* further, however little: only tries in a row without a byte count.

        Raises:
            HubUnreachable: nothing came.
        """
        before = part.stat().st_size
        try:
            self._append(remote, part, before)
        except HubUnreachable:
            if part.stat().st_size <= before:
                raise
        if part.stat().st_size <= before:
            raise HubUnreachable(f"{self.hub.address} ends {remote.path} early, again and again")

    def _pause(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Stopped

    def _append(self, remote: RemoteFile, part: Path, offset: int) -> None:
        with part.open("ab") as file, self.hub.opened(remote, offset) as (begins, pieces):
            if begins != offset:
                file.truncate(begins)
                self.meter.skip(begins - offset, remote.path)
            length = begins
            for piece in pieces:
                if self.stop.is_set():
                    raise Stopped
                file.write(piece)
                self.meter.work(len(piece), remote.path)
                length += len(piece)
                if length > remote.size_bytes:
                    # Wrong already, and it might never end.
                    return

    def _set_aside(self, path: Path, name: str, problem: str, *, room_for: int = 0) -> None:
        """Move *path* aside, under *name* and a number; remove it where the disk has no *room_for* its replacement."""
        number = 1
        while (aside := path.with_name(f"{name}{QUARANTINED}{number}")).exists():
            number += 1
        path.replace(aside)
        self.notes.append(f"{path.parent / name}: {problem}; moved aside as {aside.name}")
        if shutil.disk_usage(aside.parent).free < room_for:
            aside.unlink()
            self.notes[-1] = f"{path.parent / name}: {problem}; removed, for want of room"


def _part(remote: RemoteFile, target: Path) -> Path:
    """Return where *remote* gathers before it is *target*."""
    return target.with_name(f".{target.name}.{(remote.sha256 or remote.blob)[:12]}.part")


def _digests(path: Path, stop: threading.Event, *, with_blob: bool) -> tuple[str, str]:
    """Return the SHA-256 of the file at *path* and, for a small file *with_blob*, the digest that git has for it."""
    sha256 = hashlib.sha256()
    # git names its objects by SHA-1 (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects).
    blob = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(HASH_BYTES):
            if stop.is_set():
                raise Stopped
            sha256.update(piece)
            if with_blob:
                blob.update(piece)
    return sha256.hexdigest(), blob.hexdigest()


def _give_name(part: Path, target: Path) -> None:
    """Call *part* *target* once its bytes are on the disk: after a power cut a file with a name is whole."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    for other in target.parent.glob(f".{target.name}.*.part"):
        # What was left of another version.
        other.unlink(missing_ok=True)

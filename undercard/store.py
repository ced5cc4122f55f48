"""The content-addressed store: a file's name is the SHA-256 of its bytes, and a file is whole or absent."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from undercard.errors import MissingObject, StoreError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a write answers when the disk, the owner's quota or the largest size of a file is reached."""
SWEEP_SECONDS = 86_400.0
LATENT_SECONDS = 30 * SWEEP_SECONDS


_STORE = "store"


class StoredFile(BaseModel):
    """A file of the store, as a task returns it in place of its bytes.

    Validated in a store's context (`Store.reading`), as records of earlier work are, the file is checked: a missing or
    altered one is no value, so that the work is done again.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    """Relative to the store's root, with forward slashes."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0)

    @model_validator(mode="after")
    def _is_whole(self, info: ValidationInfo) -> Self:
        store = (info.context or {}).get(_STORE)
        if store is None:
            return self
        path = store.path_of(self)
        try:
            found = path.stat()
            whole = found.st_size == self.size_bytes and _sha256(path, found.st_mtime_ns, found.st_ino) == self.sha256
        except OSError as exc:
            raise ValueError(f"{path} is missing or unreadable ({exc.strerror}); it will be made again") from exc
        if not whole:
            # pydantic turns a ValueError into its ValidationError, which Prefect reads as "no cached result".
            raise ValueError(f"{path} is altered; it will be made again")
        return self


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the file at *path*, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# A run looks at the same picture as a take, as a still and in the manifest; while its inode and time stand, so do its
# bytes.
@lru_cache(maxsize=16_384)
def _sha256(path: Path, modified_ns: int, inode: int) -> str:
    return sha256_of(path)


def write_atomically(path: Path, content: bytes) -> None:
    """Write *content* to *path* so that a reader, or a machine that dies, sees the old bytes or the new ones.

    Raises:
        StoreError: it cannot be written, for want of space or of permission.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise StoreError(f"cannot write {path}: {exc.strerror}; free space or write elsewhere") from exc


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of content-addressed files, and of what else is kept between runs."""

    root: Path

    @property
    def reading(self) -> dict[str, object]:
        """The pydantic context in which records of earlier work are validated: their files must be here and whole."""
        return {_STORE: self}

    def path_of(self, stored: StoredFile) -> Path:
        """Return where *stored* lies on this machine."""
        return self.root / stored.path

    def put_file(self, source: Path) -> StoredFile:
        """Move the file at *source* into the store under the SHA-256 of its bytes.

        Raises:
            StoreError: it cannot be written, for want of space or of permission.
        """
        digest = sha256_of(source)
        relative = f"objects/{digest[:2]}/{digest[2:]}{source.suffix}"
        target = self.root / relative
        size_bytes = source.stat().st_size
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # The bytes reach the disk before the name does: after a power cut a file with a name is whole.
            with source.open("rb") as file:
                os.fsync(file.fileno())
            source.replace(target)
        except OSError as exc:
            raise StoreError(
                f"cannot store {source.name} in {self.root}: {exc.strerror}; free space or set UNDERCARD_STORE"
            ) from exc
        return StoredFile(path=relative, sha256=digest, size_bytes=size_bytes)

    def put_bytes(self, content: bytes, suffix: str) -> StoredFile:
        """Write *content* into the store; *suffix* is the file's ending, such as `.png`.

        Raises:
            StoreError: it cannot be written.
        """
        with self.scratch(suffix) as path:
            path.write_bytes(content)
            return self.put_file(path)

    def find(self, digest: str, suffix: str) -> Path:
        """Return where the file with the SHA-256 *digest* lies, whose name ends in *suffix*, such as `.png`.

        Raises:
            MissingObject: the store does not have it.
        """
        path = self.root / "objects" / digest[:2] / f"{digest[2:]}{suffix}"
        if not path.is_file():
            raise MissingObject(f"{path} is gone; run the same command again and it will be made")
        return path

    @contextmanager
    def scratch(self, suffix: str) -> Iterator[Path]:
        """Yield the path of a new, empty file inside the store, for `put_file`; it is gone when the context ends.

        Raises:
            StoreError: the file cannot be made, or what is written to it finds no space.
        """
        folder = self.root / "scratch"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Not mkstemp, whose files nobody but their owner may read: a store is often shared.
            path = folder / f"{uuid4().hex}{suffix}"
            path.touch(exist_ok=False)
        except OSError as exc:
            raise StoreError(f"cannot write in {folder}: {exc.strerror}; free space or set UNDERCARD_STORE") from exc
        try:
            yield path
        except OSError as exc:
            if exc.errno not in FULL:
                raise
            raise StoreError(f"no space in {folder}: {exc.strerror}; free space or set UNDERCARD_STORE") from exc
        finally:
            path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what runs that were killed left unfinished, once it is a day old and nobody can be writing it still.

        Latents are kept for a picture that is decoded again; a month later nobody will.
        """
        for folder, seconds in (("scratch", SWEEP_SECONDS), ("latents", LATENT_SECONDS)):
            oldest = time.time() - seconds
            for path in (self.root / folder).glob("*"):
                # Another run may sweep at the same time.
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < oldest:
                        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def copy_out(self, stored: StoredFile, target: Path) -> None:
        """Give a stored file a name that people read, outside the store's own folders.

        Raises:
            MissingObject: the stored file is gone.
            StoreError: the copy cannot be written, for want of space or of permission.
        """
        source = self.path_of(stored)
        if not source.is_file():
            raise MissingObject(f"{source} is gone; run the same command again and it will be made")
        # A copy, not a link: what people do to their film must not reach the store.
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(source, temporary)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as exc:
            raise StoreError(f"cannot write {target}: {exc.strerror}; free space or write elsewhere") from exc

"""The directory of a safetensors checkpoint: where each tensor lies, and reading it without a second copy."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from undercard.errors import BadCheckpoint
from undercard.models.headers import Described, safetensors_header

if TYPE_CHECKING:
    from typing_extensions import Buffer

DTYPES = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I8": torch.int8,
    "U8": torch.uint8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "BOOL": torch.bool,
}
"""As the safetensors format names them."""
SAMPLE_BYTES = 4096
PIECE_BYTES = 1 << 24
"""What a thread reads at a time: large enough for the disk, small enough to keep every thread busy."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a checkpoint, as it lies on disk."""

    path: Path
    offset: int
    """Of its first byte in the file."""
    size_bytes: int
    dtype: torch.dtype
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of one safetensors file, or of every shard of a folder."""

    source: Path
    entries: Mapping[str, Entry]
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def __getitem__(self, name: str) -> Entry:
        """Return where the tensor called *name* lies.

        Raises:
            BadCheckpoint: the checkpoint lacks it.
        """
        try:
            return self.entries[name]
        except KeyError:
            raise BadCheckpoint(
                f"{self.source} lacks the tensor {name!r}; it is another model's, or cut short"
            ) from None

    def read(self, name: str) -> Tensor:
        """Read one tensor into host memory.

        Raises:
            BadCheckpoint: the checkpoint lacks it, or the file is cut short.
        """
        entry = self[name]
        raw = torch.empty(entry.size_bytes, dtype=torch.uint8)
        with opened([entry]) as files:
            read_into(files, entry, as_memory(raw))
        return raw.view(entry.dtype).view(entry.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of all tensors together."""
        return sum(entry.size_bytes for entry in self.entries.values())

    def digest(self) -> str:
        """Return a SHA-256 that another checkpoint does not share: of the directory and each tensor's first 4 KiB.

        Hashing 41 GB would take longer than rendering a keyframe.
        """
        digest = hashlib.sha256()
        with opened(self.entries.values()) as files:
            for name in sorted(self.entries):
                entry = self.entries[name]
                digest.update(f"{name} {entry.dtype} {entry.shape} ".encode())
                digest.update(os.pread(files[entry.path], min(entry.size_bytes, SAMPLE_BYTES), entry.offset))
        return digest.hexdigest()


def open_checkpoint(path: Path) -> Checkpoint:
    """Read the directory of the file, or of all `*.safetensors` of the folder, at *path*; no tensor is read.

    Raises:
        BadCheckpoint: there is nothing there, or a file is no whole safetensors file.
    """
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise BadCheckpoint(f"{path} holds no safetensors file; give a file, or the folder of its shards")
    entries: dict[str, Entry] = {}
    metadata: dict[str, str] = {}
    for file in files:
        found, notes = _directory(file)
        if twice := entries.keys() & found.keys():
            raise BadCheckpoint(f"{path} holds {min(twice)!r} twice; remove the file that does not belong to it")
        entries |= found
        metadata |= notes
    return Checkpoint(path, entries, metadata)


def _directory(path: Path) -> tuple[dict[str, Entry], dict[str, str]]:
    """Read the header of one safetensors file, in torch's types."""
    header = safetensors_header(path)
    entries = {name: _entry(path, name, described) for name, described in header.tensors.items()}
    return entries, {key: str(value) for key, value in header.metadata.items()}


def _entry(path: Path, name: str, described: Described) -> Entry:
    dtype = DTYPES.get(described.dtype)
    if dtype is None:
        raise BadCheckpoint(f"{path}: {name!r} is stored as {described.dtype}, which is not read here")
    return Entry(path, described.offset, described.size_bytes, dtype, described.shape)


def as_memory(buffer: Tensor) -> memoryview:
    """Return the bytes of a uint8 tensor in host memory, for reading into."""
    return memoryview(cast("Buffer", buffer.numpy()))


@contextmanager
def opened(entries: Iterable[Entry]) -> Iterator[dict[Path, int]]:
    """Yield a descriptor for each file that *entries* lie in, for `read_into`."""
    files: dict[Path, int] = {}
    try:
        for entry in entries:
            if entry.path not in files:
                files[entry.path] = os.open(entry.path, os.O_RDONLY)
        yield files
    finally:
        for descriptor in files.values():
            os.close(descriptor)


def read_into(files: Mapping[Path, int], entry: Entry, target: memoryview, start: int = 0) -> None:
    """Fill *target* with a tensor's bytes from byte *start* on; safe from several threads, and lets go of the GIL.

    Raises:
        BadCheckpoint: the file ends before the tensor does.
    """
    done = 0
    while done < len(target):
        count = os.preadv(files[entry.path], [target[done:]], entry.offset + start + done)
        if count == 0:
            raise BadCheckpoint(f"{entry.path} became shorter while it was read; fetch the file again")
        done += count


def submit_reads(pool: Executor, files: Mapping[Path, int], entry: Entry, target: memoryview) -> list[Future[None]]:
    """Begin to fill *target* with the tensor's bytes, in pieces that several threads read at once."""
    return [
        pool.submit(read_into, files, entry, target[start : min(start + PIECE_BYTES, entry.size_bytes)], start)
        for start in range(0, entry.size_bytes, PIECE_BYTES)
    ]

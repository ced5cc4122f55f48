"""What a file of weights says of itself: the names, types, shapes and places of its tensors, and its metadata.

Read without torch, so that a plan can tell what a file is good for.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from undercard.errors import BadCheckpoint

if TYPE_CHECKING:
    from gguf import GGUFReader

LARGEST_HEADER = 100_000_000
"""The safetensors format's own limit."""
GGUF_MAGIC = b"GGUF"
PREFIXES = ("model.diffusion_model.", "diffusion_model.", "transformer.")
"""What tools put before the names that diffusers uses."""


@dataclass(frozen=True, slots=True)
class Described:
    """One tensor, as the header describes it."""

    dtype: str
    """As the file's format calls it: `BF16`, `F8_E4M3`, `Q4_K`."""
    shape: tuple[int, ...]
    """Rows before columns, as torch counts."""
    offset: int
    """Of its first byte in the file."""
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Header:
    """The directory of one file."""

    path: Path
    tensors: Mapping[str, Described]
    """By the file's own names."""
    metadata: Mapping[str, object]

    def read(self, name: str, limit: int | None = None) -> bytes:
        """Return the bytes of the small tensor called *name*, the first *limit* of a larger one.

        Raises:
            BadCheckpoint: the file became shorter.
        """
        place = self.tensors[name]
        wanted = place.size_bytes if limit is None else min(limit, place.size_bytes)
        with self.path.open("rb") as file:
            content = os.pread(file.fileno(), wanted, place.offset)
        if len(content) < wanted:
            raise BadCheckpoint(f"{self.path} became shorter while it was read; fetch the file again")
        return content


def plain_name(name: str) -> str:
    """Return *name* without what a tool put before it."""
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def is_gguf(path: Path) -> bool:
    """Say whether the file at *path* begins as GGUF files do, whatever its name says."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(GGUF_MAGIC)) == GGUF_MAGIC


def safetensors_header(path: Path) -> Header:
    """Read the header of one safetensors file (https://github.com/huggingface/safetensors, "Format").

    Raises:
        BadCheckpoint: it is no whole safetensors file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else LARGEST_HEADER + 1
        if length > min(LARGEST_HEADER, size):
            raise BadCheckpoint(f"{path} is no safetensors file: it does not begin with the length of a header")
        try:
            header = json.loads(file.read(length))
            metadata = header.pop("__metadata__", {})
            tensors = {name: _described(8 + length, facts) for name, facts in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise BadCheckpoint(f"{path} has a header that cannot be read: {exc}; fetch the file again") from exc
    end = max((place.offset + place.size_bytes for place in tensors.values()), default=0)
    if end > size:
        raise BadCheckpoint(f"{path} is cut short: {size} bytes of {end}; fetch the file again")
    return Header(path, tensors, metadata)


def _described(base: int, facts: Mapping[str, object]) -> Described:
    start, end = facts["data_offsets"]  # type: ignore[misc]
    return Described(str(facts["dtype"]), tuple(facts["shape"]), base + start, end - start)  # type: ignore[arg-type, has-type]


def gguf_header(path: Path) -> Header:
    """Read the header of the GGUF file at *path*; its metadata are the fields, in plain types.

    Raises:
        BadCheckpoint: it is no whole GGUF file.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        metadata = {name: field.contents() for name, field in reader.fields.items()}
    except OSError as exc:
        raise BadCheckpoint(f"{path} cannot be read: {exc.strerror or exc}; give the path of a GGUF file") from exc
    except (ValueError, KeyError, IndexError) as exc:
        # The reader's own errors are these, and a file cut short ends in an index beyond its end.
        raise BadCheckpoint(f"{path} is no whole GGUF file ({exc}); fetch it again") from exc
    return Header(path, _gguf_tensors(reader), metadata)


def _gguf_tensors(reader: GGUFReader) -> dict[str, Described]:
    # ggml counts dimensions from the innermost.
    return {
        tensor.name: Described(
            tensor.tensor_type.name,
            tuple(int(size) for size in reversed(tensor.shape.tolist())),
            int(tensor.data_offset),
            int(tensor.n_bytes),
        )
        for tensor in reader.tensors
    }

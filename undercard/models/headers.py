"""What a file of weights says of itself: the names, types, shapes and places of its tensors, and its metadata.

Read with neither torch nor the package gguf, so that a machine without a card can prove what it fetched, and a plan can
tell what a file is good for.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from undercard.errors import BadCheckpoint

LARGEST_HEADER = 100_000_000
"""The safetensors format's own limit."""
GGUF_MAGIC = b"GGUF"
PREFIXES = ("model.diffusion_model.", "diffusion_model.", "transformer.")
"""What tools put before the names that diffusers uses."""
SAFETENSORS_BITS = {
    "F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "U16": 16,
    "F8_E4M3": 8, "F8_E5M2": 8, "I8": 8, "U8": 8, "BOOL": 8,
}  # fmt: skip
"""Of the types that whole bytes hold; of others, the format's own offsets are believed."""


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
            file.seek(place.offset)
            content = file.read(wanted)
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
            # safetensors' own library takes null for none.
            metadata = dict(header.pop("__metadata__", None) or {})
            tensors = {name: _described(8 + length, facts) for name, facts in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise BadCheckpoint(f"{path} has a header that cannot be read: {exc}; fetch the file again") from exc
    require_whole(path, size, tensors)
    return Header(path, tensors, metadata)


def _described(base: int, facts: Mapping[str, Any]) -> Described:
    start, end = (int(offset) for offset in facts["data_offsets"])
    shape, dtype = tuple(int(size) for size in facts["shape"]), str(facts["dtype"])
    bits = SAFETENSORS_BITS.get(dtype)
    if not 0 <= start <= end or (bits is not None and (end - start) * 8 != prod(shape) * bits):
        raise ValueError(f"bytes {start} to {end} are not {shape} of {dtype}")
    return Described(dtype, shape, base + start, end - start)


def require_whole(path: Path, size: int, tensors: Mapping[str, Described]) -> None:
    """Return if a file of *size* bytes has room for all of its *tensors*.

    Raises:
        BadCheckpoint: it is cut short.
    """
    end = max((place.offset + place.size_bytes for place in tensors.values()), default=0)
    if end > size:
        raise BadCheckpoint(f"{path} is cut short: {size} bytes of {end}; fetch the file again")

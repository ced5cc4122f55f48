"""The header of a file of weights, safetensors or GGUF: which tensors it holds, how and where; none is read.

Neither torch nor the package gguf is needed, so that a machine without a card can prove what it fetched.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import Any, Literal

from undercard.errors import BadCheckpoint

LARGEST_HEADER = 100_000_000
"""The limit of the safetensors format."""
SAFETENSORS_BITS = {
    "F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "U16": 16,
    "F8_E4M3": 8, "F8_E5M2": 8, "I8": 8, "U8": 8, "BOOL": 8,
}  # fmt: skip
"""Of the types that whole bytes hold; of others, the format's own offsets are believed."""
GGUF_MAGIC = b"GGUF"
GGUF_VERSIONS = (2, 3)
GGML_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
}  # fmt: skip
"""By ggml's number: name, weights in a block, bytes of a block (ggml.h and ggml-common.h)."""
GGUF_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
GGUF_STRING, GGUF_ARRAY = 8, 9
GGUF_ALIGNMENT = 32


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor, as the header describes it."""

    dtype: str
    """As its format names it: `BF16`, `F8_E4M3`, `Q4_K`."""
    shape: tuple[int, ...]
    """The outermost dimension first, as in PyTorch, whatever the format."""
    start: int
    """Of its first byte in the file."""
    size_bytes: int


@dataclass(frozen=True)
class Header:
    """What a file of weights says of itself."""

    path: Path
    format: Literal["safetensors", "gguf"]
    tensors: Mapping[str, Stored]
    metadata: Mapping[str, object] = field(default_factory=dict)


def read_header(path: Path) -> Header:
    """Read the header of the file at *path*, whichever of the two formats it has.

    Raises:
        BadCheckpoint: there is no such file, it is neither, or it is cut short.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as exc:
        raise BadCheckpoint(f"{path} cannot be read: {exc.strerror or exc}; give the path of a file") from exc
    return read_gguf(path) if magic == GGUF_MAGIC else read_safetensors(path)


def read_safetensors(path: Path) -> Header:
    """Read the header of a safetensors file (https://github.com/huggingface/safetensors, "Format").

    Raises:
        BadCheckpoint: it is none, its header cannot be read, or the file is cut short.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else LARGEST_HEADER + 1
        if length > min(LARGEST_HEADER, size):
            raise BadCheckpoint(f"{path} is no safetensors file: it does not begin with the length of a header")
        try:
            described = json.loads(file.read(length))
            metadata = described.pop("__metadata__", {})
            tensors = {name: _safetensor(facts, 8 + length) for name, facts in described.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise BadCheckpoint(f"{path} has a header that cannot be read: {exc}; fetch the file again") from exc
    _require_whole(path, size, tensors)
    return Header(path, "safetensors", tensors, metadata)


def _safetensor(facts: Mapping[str, Any], base: int) -> Stored:
    start, end = (int(offset) for offset in facts["data_offsets"])
    shape, dtype = tuple(int(size) for size in facts["shape"]), str(facts["dtype"])
    bits = SAFETENSORS_BITS.get(dtype)
    if not 0 <= start <= end or (bits is not None and (end - start) * 8 != prod(shape) * bits):
        raise ValueError(f"bytes {start} to {end} are not {shape} of {dtype}")
    return Stored(dtype, shape, base + start, end - start)


def read_gguf(path: Path) -> Header:
    """Read the header of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).

    Raises:
        BadCheckpoint: it is none, of a type that is unknown, or cut short.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            tensors, metadata = _gguf(_Fields(file, size))
        except (struct.error, ValueError) as exc:
            raise BadCheckpoint(f"{path} is no whole GGUF file ({exc}); fetch it again") from exc
    _require_whole(path, size, tensors)
    return Header(path, "gguf", tensors, metadata)


def _gguf(fields: _Fields) -> tuple[dict[str, Stored], dict[str, object]]:
    if fields.file.read(4) != GGUF_MAGIC:
        raise ValueError("it does not begin with GGUF")
    version = fields.scalar("I")
    if version not in GGUF_VERSIONS:
        raise ValueError(f"its version is {version}; {' and '.join(map(str, GGUF_VERSIONS))} are read")
    tensor_count, pair_count = fields.count(), fields.count()
    metadata = {fields.string(): fields.value(fields.scalar("I")) for _ in range(pair_count)}
    described = list(fields.tensors(tensor_count))
    alignment = metadata.get("general.alignment", GGUF_ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError(f"its alignment is {alignment!r}")
    data = -(-fields.file.tell() // alignment) * alignment
    tensors = {}
    for name, type_number, shape, offset in described:
        if type_number not in GGML_TYPES:
            raise ValueError(f"{name!r} has the unknown type {type_number}")
        type_name, weights, block_bytes = GGML_TYPES[type_number]
        tensors[name] = Stored(type_name, shape, data + offset, prod(shape) // weights * block_bytes)
    return tensors, metadata


@dataclass
class _Fields:
    """Reads the fields of a GGUF header one after the other; a length that the file cannot hold is an error."""

    file: BufferedReader
    size: int

    def scalar(self, code: str) -> int:
        """Return the next number; *code* is struct's."""
        return int(self._unpacked(code))

    def _unpacked(self, code: str) -> int | float | bool:
        found: int | float | bool = struct.unpack(f"<{code}", self.file.read(struct.calcsize(f"<{code}")))[0]
        return found

    def count(self) -> int:
        """Return how many fields follow, each of which takes a byte at least."""
        count = self.scalar("Q")
        if count > min(LARGEST_HEADER, self.size - self.file.tell()):
            raise ValueError(f"it speaks of {count} fields in {self.size} bytes")
        return count

    def string(self) -> str:
        """Return the next string."""
        length = self.count()
        return self.file.read(length).decode()

    def value(self, type_number: int) -> object:
        """Return the next value of metadata, of that type."""
        if type_number == GGUF_STRING:
            return self.string()
        if type_number == GGUF_ARRAY:
            of = self.scalar("I")
            if of == GGUF_ARRAY:
                # The format allows it, no model needs it, and a file of nothing else would not end.
                raise ValueError("its metadata has lists of lists")
            return [self.value(of) for _ in range(self.count())]
        if type_number not in GGUF_SCALARS:
            raise ValueError(f"its metadata has the unknown type {type_number}")
        return self._unpacked(GGUF_SCALARS[type_number])

    def tensors(self, count: int) -> Iterator[tuple[str, int, tuple[int, ...], int]]:
        """Yield name, type, shape and offset of every tensor."""
        for _ in range(count):
            name = self.string()
            # ggml counts dimensions from the innermost.
            shape = tuple(reversed([self.scalar("Q") for _ in range(self.scalar("I"))]))
            yield name, self.scalar("I"), shape, self.scalar("Q")


def _require_whole(path: Path, size: int, tensors: Mapping[str, Stored]) -> None:
    end = max((stored.start + stored.size_bytes for stored in tensors.values()), default=0)
    if end > size:
        raise BadCheckpoint(f"{path} is cut short: {size} bytes of {end}; fetch the file again")

"""The header of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from math import prod
from pathlib import Path

from undercard.errors import BadCheckpoint
from undercard.models.headers import GGUF_MAGIC, LARGEST_HEADER, Described, Header, require_whole

VERSIONS = (2, 3)
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
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
ALIGNMENT = 32


def gguf_header(path: Path) -> Header:
    """Read the header of the GGUF file at *path*; its metadata are in plain types.

    Raises:
        BadCheckpoint: it is no whole GGUF file, or has a type that is unknown.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            tensors, metadata = _contents(_Fields(file, size))
    except OSError as exc:
        raise BadCheckpoint(f"{path} cannot be read: {exc.strerror or exc}; give the path of a GGUF file") from exc
    except (struct.error, ValueError) as exc:
        raise BadCheckpoint(f"{path} is no whole GGUF file ({exc}); fetch it again") from exc
    require_whole(path, size, tensors)
    return Header(path, tensors, metadata)


def _contents(fields: _Fields) -> tuple[dict[str, Described], dict[str, object]]:
    if fields.file.read(4) != GGUF_MAGIC:
        raise ValueError("it does not begin with GGUF")
    version = fields.scalar("I")
    if version not in VERSIONS:
        raise ValueError(f"its version is {version}; {' and '.join(map(str, VERSIONS))} are read")
    tensor_count, pair_count = fields.count(), fields.count()
    metadata = {fields.string(): fields.value(fields.scalar("I")) for _ in range(pair_count)}
    described = list(fields.tensors(tensor_count))
    alignment = metadata.get("general.alignment", ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError(f"its alignment is {alignment!r}")
    data = -(-fields.file.tell() // alignment) * alignment
    tensors = {}
    for name, type_number, shape, offset in described:
        if type_number not in GGML_TYPES:
            raise ValueError(f"{name!r} has the unknown type {type_number}")
        type_name, weights, block_bytes = GGML_TYPES[type_number]
        tensors[name] = Described(type_name, shape, data + offset, prod(shape) // weights * block_bytes)
    return tensors, metadata


@dataclass
class _Fields:
    """Reads the fields of a header one after the other; a length that the file cannot hold is an error."""

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
        if type_number == STRING:
            return self.string()
        if type_number == ARRAY:
            of = self.scalar("I")
            if of == ARRAY:
                # The format allows it, no model needs it, and a file of nothing else would not end.
                raise ValueError("its metadata has lists of lists")
            return [self.value(of) for _ in range(self.count())]
        if type_number not in SCALARS:
            raise ValueError(f"its metadata has the unknown type {type_number}")
        return self._unpacked(SCALARS[type_number])

    def tensors(self, count: int) -> Iterator[tuple[str, int, tuple[int, ...], int]]:
        """Yield name, type, shape and offset of every tensor."""
        for _ in range(count):
            name = self.string()
            # ggml counts dimensions from the innermost.
            shape = tuple(reversed([self.scalar("Q") for _ in range(self.scalar("I"))]))
            yield name, self.scalar("I"), shape, self.scalar("Q")

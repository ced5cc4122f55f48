"""The boxes that an MP4 is made of (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from undercard.errors import BadFilm


def box(kind: bytes, *content: bytes) -> bytes:
    """Return a box of *kind* around *content*."""
    whole = b"".join(content)
    return struct.pack(">I4s", 8 + len(whole), kind) + whole


def full(kind: bytes, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    """Return a box that says of which version its content is."""
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def inside(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the boxes in *content*.

    Raises:
        ValueError: one is longer than its place.
    """
    start = 0
    while start + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, start)
        if size < 8 or start + size > len(content):
            raise ValueError(f"box {kind!r} claims {size} bytes")
        yield kind, content[start + 8 : start + size]
        start += size


def outer(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and size of the outermost boxes of the file at *path*.

    Raises:
        BadFilm: it is cut short.
        OSError: it cannot be read.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        start = 0
        while start < length:
            file.seek(start)
            head = file.read(16)
            if len(head) < 8:
                raise BadFilm(f"{path.name} is cut short: {len(head)} bytes at byte {start} are no box")
            size, kind = struct.unpack(">I4s", head[:8])
            if size == 1 and len(head) == 16:
                # The size did not fit and follows in 64 bits.
                (size,) = struct.unpack(">Q", head[8:])
            elif size == 0:
                size = length - start
            if size < 8 or start + size > length:
                raise BadFilm(f"{path.name} is cut short: box {kind!r} at byte {start} claims {size} bytes")
            yield kind, start, size
            start += size

"""A track of coded pictures: how long each is, which frame it shows, and where its bytes lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.domain.requests import Size
from undercard.errors import BadFilm
from undercard.film.encoding.boxes import inside

Numbers: TypeAlias = NDArray[np.int64]
ENTRY_BYTES = 86
"""Of a description of pictures, before the boxes in it (ISO/IEC 14496-12, 12.1.3)."""
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of a file."""

    path: Path
    start: int
    length: int


Content: TypeAlias = Stretch | bytes


@dataclass(frozen=True, slots=True)
class Track:
    """Coded pictures that last a frame each."""

    description: bytes
    """Their box `stsd`, without what depends on how large they are."""
    size: Size
    clock: int
    """Ticks a second."""
    ticks: int
    """Of a frame."""
    lengths: Numbers
    """Bytes of each picture, in coded order."""
    frames: Numbers
    """Which frame each is, from 0."""
    keys: NDArray[np.bool_]
    """Which of them can be decoded without one before."""
    content: tuple[Content, ...]
    """All of them, one after the other."""

    @property
    def configuration(self) -> bytes:
        """The parameter sets that they are decoded by: what is in the box `avcC`.

        Raises:
            BadFilm: they are not H.264.
        """
        found = dict(inside(self.description[16 + ENTRY_BYTES :]))
        if b"avcC" not in found:
            raise BadFilm("its pictures are not H.264")
        return found[b"avcC"]

    def blocks(self) -> Iterator[bytes]:
        """Yield their bytes, a block at a time.

        Raises:
            BadFilm: a file has become shorter since it was read.
        """
        with ExitStack() as opened:
            file: FileIO | None = None
            of: Path | None = None
            for part in self.content:
                if isinstance(part, bytes):
                    yield part
                    continue
                # A film's pictures lie between its sound, in a thousand places of one file.
                if file is None or of != part.path:
                    opened.close()
                    of = part.path
                    file = opened.enter_context(part.path.open("rb", buffering=0))
                yield from _read_from(file, part)


def _read_from(file: FileIO, part: Stretch) -> Iterator[bytes]:
    file.seek(part.start)
    left = part.length
    while left:
        block = file.read(min(left, BLOCK_BYTES))
        if not block:
            raise BadFilm(f"{part.path.name} is cut short")
        yield block
        left -= len(block)


def joined(tracks: Sequence[Track]) -> Track:
    """Return one after the other of *tracks*, which are alike in all but their pictures."""
    first = tracks[0]
    starts = np.cumsum([0, *(len(track.frames) for track in tracks[:-1])])
    return Track(
        first.description,
        first.size,
        first.clock,
        first.ticks,
        np.concatenate([track.lengths for track in tracks]),
        np.concatenate([track.frames + start for track, start in zip(tracks, starts, strict=True)]),
        np.concatenate([track.keys for track in tracks]),
        tuple(part for track in tracks for part in track.content),
    )

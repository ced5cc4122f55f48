"""MP4 (ISO/IEC 14496-12), as far as a track of pictures needs it: reading which there are and where, and writing them.

A library opens a file by decoding its first picture, which takes longer than all of what is asked here: for five
hundred segments, a quarter of a minute.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.errors import BadFilm
from undercard.requests import Size

Numbers: TypeAlias = NDArray[np.int64]
ENTRY_BYTES = 86
"""Of a description of pictures, before the boxes in it (12.1.3 of ISO/IEC 14496-12)."""
BLOCK_BYTES = 1 << 20
UNITY = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
"""The matrix of a picture that is shown as it is."""


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
        found = dict(_boxes(self.description[16 + ENTRY_BYTES :]))
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
            for part in self.content:
                if isinstance(part, bytes):
                    yield part
                    continue
                # A film's pictures lie between its sound, in a thousand places of one file.
                if file is None or file.name != part.path:
                    opened.close()
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


def outer_boxes(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and size of the outermost boxes of the file at *path* (4.2).

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


def read(path: Path) -> Track:
    """Return the track of pictures of the file at *path*, whose frames must all be of one length.

    Raises:
        BadFilm: it has none, or cannot be read.
    """
    try:
        index = {kind: (start, size) for kind, start, size in outer_boxes(path)}
        start, size = index[b"moov"]
        with path.open("rb") as file:
            file.seek(start + 8)
            movie = file.read(size - 8)
        pictures = next(track for track in _tracks(movie) if track[b"hdlr"][8:12] == b"vide")
        return _track(path, pictures)
    except (KeyError, StopIteration) as exc:
        raise BadFilm(f"{path.name} is no MP4 with pictures") from exc
    except (struct.error, ValueError, IndexError) as exc:
        raise BadFilm(f"{path.name} is no whole MP4: {exc}") from exc
    except OSError as exc:
        raise BadFilm(f"{path.name}: {exc.strerror}") from exc


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


def write(track: Track, file: IO[bytes]) -> None:
    """Write *track* to *file* as MP4, the index before the pictures; no byte is written twice, so it may be a pipe.

    Raises:
        BadFilm: what it is made from has become shorter.
        OSError: it cannot be written.
    """
    start = len(_head(track, 0))
    file.write(_head(track, start))
    for block in track.blocks():
        file.write(block)


def _head(track: Track, start: int) -> bytes:
    """Return all that comes before the pictures, the first of which is at byte *start*."""
    count = len(track.frames)
    lasts = count * track.ticks
    # Decoded in time for the frames that are coded before they are shown.
    late = max(0, int((np.arange(count) - track.frames).max()))
    offsets = (track.frames - np.arange(count) + late) * track.ticks
    width, height = track.size
    dates = struct.pack(">QQ", 0, 0)
    table = _box(
        b"stbl",
        track.description,
        _full(b"stts", struct.pack(">III", 1, count, track.ticks)),
        _full(b"ctts", _runs(offsets)),
        _full(b"stss", _counted(np.flatnonzero(track.keys) + 1)),
        _full(b"stsc", struct.pack(">IIII", 1, 1, count, 1)),
        _full(b"stsz", struct.pack(">I", 0), _counted(track.lengths)),
        _full(b"co64", struct.pack(">IQ", 1, start)),
    )
    media = _box(
        b"mdia",
        _full(b"mdhd", dates, struct.pack(">IQHH", track.clock, lasts, 0x55C4, 0), version=1),
        _full(b"hdlr", struct.pack(">I4s12x", 0, b"vide"), b"VideoHandler\0"),
        _box(
            b"minf",
            _full(b"vmhd", bytes(8), flags=1),
            _box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1))),
            table,
        ),
    )
    shown = struct.pack(">I4xQ8xhhhH", 1, lasts, 0, 0, 0, 0) + UNITY + struct.pack(">II", width << 16, height << 16)
    movie = _box(
        b"moov",
        _full(
            b"mvhd",
            dates,
            struct.pack(">IQIH10x", track.clock, lasts, 1 << 16, 1 << 8) + UNITY + struct.pack(">24xI", 2),
            version=1,
        ),
        _box(
            b"trak",
            _full(b"tkhd", dates, shown, version=1, flags=3),
            _box(b"edts", _full(b"elst", struct.pack(">IQqHH", 1, lasts, late * track.ticks, 1, 0), version=1)),
            media,
        ),
    )
    brand = _box(b"ftyp", struct.pack(">4sI4s4s", b"isom", 0x200, b"isom", b"avc1"))
    pictures = struct.pack(">I4sQ", 1, b"mdat", 16 + int(track.lengths.sum()))
    return brand + movie + pictures


def _box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I4s", 8 + len(inside), kind) + inside


def _full(kind: bytes, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *content)


def _counted(numbers: NDArray[np.integer]) -> bytes:
    return struct.pack(">I", len(numbers)) + numbers.astype(">u4").tobytes()


def _runs(numbers: Numbers) -> bytes:
    """Return *numbers* as runs: how many, then what."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(numbers)) + 1])
    counts = np.diff([*starts, len(numbers)])
    table = np.stack([counts, numbers[starts]], axis=1).astype(">u4")
    return struct.pack(">I", len(table)) + table.tobytes()


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the boxes in *content*."""
    start = 0
    while start + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, start)
        if size < 8 or start + size > len(content):
            raise ValueError(f"box {kind!r} claims {size} bytes")
        yield kind, content[start + 8 : start + size]
        start += size


def _tracks(movie: bytes) -> Iterator[dict[bytes, bytes]]:
    """Yield the boxes of each track that tell something, by kind."""
    for kind, track in _boxes(movie):
        if kind == b"trak":
            found = dict(_boxes(track))
            media = dict(_boxes(found[b"mdia"]))
            inner = dict(_boxes(media[b"minf"]))
            edits = dict(_boxes(found.get(b"edts", b"")))
            yield {**media, **edits, **dict(_boxes(inner[b"stbl"]))}


def _track(path: Path, found: dict[bytes, bytes]) -> Track:
    description, size = _description(found[b"stsd"])
    durations = _table(found[b"stts"][4:], 2)
    ticks = {int(each) for each in durations[:, 1]}
    if len(ticks) != 1 or 0 in ticks:
        raise BadFilm(f"{path.name}: its frames are of {len(ticks)} lengths, not of one")
    (tick,) = ticks
    lengths = _lengths(path, found[b"stsz"])
    count = len(lengths)
    _agree(count, int(durations[:, 0].sum()))
    keys = np.full(count, b"stss" not in found)
    if b"stss" in found:
        keys[_table(found[b"stss"][4:], 1)[:, 0] - 1] = True
    shown = np.arange(count) * tick + _offsets(found.get(b"ctts"), count) - _begins(found.get(b"elst"))
    if (shown % tick).any() or sorted(shown // tick) != list(range(count)):
        raise BadFilm(f"{path.name}: its frames do not lie on a grid of {tick} ticks that begins at 0")
    content = tuple(Stretch(path, start, length) for start, length in _places(found, lengths))
    end = max(part.start + part.length for part in content)
    if end > path.stat().st_size:
        raise BadFilm(f"{path.name} is cut short: its pictures end at byte {end}")
    clock = struct.unpack_from(">I", found[b"mdhd"], 20 if found[b"mdhd"][0] else 12)[0]
    return Track(description, size, clock, tick, lengths, shown // tick, keys, content)


def _description(content: bytes) -> tuple[bytes, Size]:
    """Return the box of a description, without the rate in it, and the size of the pictures."""
    entry = content[8:]
    width, height = struct.unpack_from(">HH", entry, 32)
    inside = [_box(kind, each) for kind, each in _boxes(entry[ENTRY_BYTES:]) if kind != b"btrt"]
    return _full(b"stsd", struct.pack(">I", 1), _box(entry[4:8], entry[8:ENTRY_BYTES], *inside)), (width, height)


def _lengths(path: Path, content: bytes) -> Numbers:
    """Return the length of each sample."""
    uniform, count = struct.unpack_from(">II", content, 4)
    if not uniform:
        return _table(content[8:], 1)[:, 0]
    _agree(min(count, path.stat().st_size // uniform), count)
    return np.full(count, uniform, np.int64)


def _agree(count: int, claimed: int) -> None:
    # Before anything is made that large.
    if count != claimed:
        raise ValueError(f"{claimed} samples where there are {count}")


def _table(content: bytes, columns: int) -> Numbers:
    """Return a table of 32-bit numbers that has its number of rows before it, shape (rows, columns)."""
    (rows,) = struct.unpack_from(">I", content)
    found = np.frombuffer(content, ">u4", rows * columns, 4)
    return found.astype(np.int64).reshape(rows, columns)


def _offsets(content: bytes | None, count: int) -> Numbers:
    """Return how much later than it is decoded each sample shows, in ticks."""
    if content is None:
        return np.zeros(count, np.int64)
    runs = _table(content[4:], 2)
    _agree(count, int(runs[:, 0].sum()))
    # Version 1 of the box has them signed.
    return np.repeat(runs[:, 1].astype(np.uint32).astype(np.int32).astype(np.int64), runs[:, 0])


def _begins(content: bytes | None) -> int:
    """Return the tick of the media that the track begins on."""
    if content is None:
        return 0
    return int(struct.unpack_from(">q", content, 16)[0] if content[0] else struct.unpack_from(">i", content, 12)[0])


def _places(found: dict[bytes, bytes], lengths: Numbers) -> list[tuple[int, int]]:
    """Return where the samples lie, start and length, those that follow each other as one."""
    if b"co64" in found:
        (count,) = struct.unpack_from(">I", found[b"co64"], 4)
        chunks = np.frombuffer(found[b"co64"], ">u8", count, 8).astype(np.int64)
    else:
        chunks = _table(found[b"stco"][4:], 1)[:, 0]
    runs = _table(found[b"stsc"][4:], 3)
    in_each = np.repeat(runs[:, 1], np.diff([*runs[:, 0], len(chunks) + 1]))
    ends = np.cumsum(in_each)
    _agree(len(lengths), int(ends[-1]))
    totals = np.add.reduceat(lengths, ends - in_each)
    places: list[tuple[int, int]] = []
    for start, length in zip(chunks.tolist(), totals.tolist(), strict=True):
        if places and sum(places[-1]) == start:
            places[-1] = places[-1][0], places[-1][1] + length
        else:
            places.append((start, length))
    return places

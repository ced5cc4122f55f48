"""MP4 (ISO/IEC 14496-12), as far as a track of pictures needs it: reading which there are and where, and writing them.

A library opens a file by decoding its first picture, which takes longer than all of what is asked here: for five
hundred segments, a quarter of a minute.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from undercard.domain.requests import Size
from undercard.errors import BadFilm
from undercard.film.encoding.boxes import box, full, inside, outer
from undercard.film.encoding.track import ENTRY_BYTES, Numbers, Stretch, Track

UNITY = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
"""The matrix of a picture that is shown as it is."""


def read(path: Path) -> Track:
    """Return the track of pictures of the file at *path*, whose frames must all be of one length.

    Raises:
        BadFilm: it has none, or cannot be read.
    """
    try:
        index = {kind: (start, size) for kind, start, size in outer(path)}
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
    table = box(
        b"stbl",
        track.description,
        full(b"stts", struct.pack(">III", 1, count, track.ticks)),
        full(b"ctts", _runs(offsets)),
        full(b"stss", _counted(np.flatnonzero(track.keys) + 1)),
        full(b"stsc", struct.pack(">IIII", 1, 1, count, 1)),
        full(b"stsz", struct.pack(">I", 0), _counted(track.lengths)),
        full(b"co64", struct.pack(">IQ", 1, start)),
    )
    media = box(
        b"mdia",
        full(b"mdhd", dates, struct.pack(">IQHH", track.clock, lasts, 0x55C4, 0), version=1),
        full(b"hdlr", struct.pack(">I4s12x", 0, b"vide"), b"VideoHandler\0"),
        box(
            b"minf",
            full(b"vmhd", bytes(8), flags=1),
            box(b"dinf", full(b"dref", struct.pack(">I", 1), full(b"url ", flags=1))),
            table,
        ),
    )
    shown = struct.pack(">I4xQ8xhhhH", 1, lasts, 0, 0, 0, 0) + UNITY + struct.pack(">II", width << 16, height << 16)
    movie = box(
        b"moov",
        full(
            b"mvhd",
            dates,
            struct.pack(">IQIH10x", track.clock, lasts, 1 << 16, 1 << 8) + UNITY + struct.pack(">24xI", 2),
            version=1,
        ),
        box(
            b"trak",
            full(b"tkhd", dates, shown, version=1, flags=3),
            box(b"edts", full(b"elst", struct.pack(">IQqHH", 1, lasts, late * track.ticks, 1, 0), version=1)),
            media,
        ),
    )
    brand = box(b"ftyp", struct.pack(">4sI4s4s", b"isom", 0x200, b"isom", b"avc1"))
    pictures = struct.pack(">I4sQ", 1, b"mdat", 16 + int(track.lengths.sum()))
    return brand + movie + pictures


def _counted(numbers: NDArray[np.integer]) -> bytes:
    return struct.pack(">I", len(numbers)) + numbers.astype(">u4").tobytes()


def _runs(numbers: Numbers) -> bytes:
    """Return *numbers* as runs: how many, then what."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(numbers)) + 1])
    counts = np.diff([*starts, len(numbers)])
    table = np.stack([counts, numbers[starts]], axis=1).astype(">u4")
    return struct.pack(">I", len(table)) + table.tobytes()


def _tracks(movie: bytes) -> Iterator[dict[bytes, bytes]]:
    """Yield the boxes of each track that tell something, by kind."""
    for kind, track in inside(movie):
        if kind == b"trak":
            found = dict(inside(track))
            media = dict(inside(found[b"mdia"]))
            inner = dict(inside(media[b"minf"]))
            edits = dict(inside(found.get(b"edts", b"")))
            yield {**media, **edits, **dict(inside(inner[b"stbl"]))}


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
    kept = [box(kind, each) for kind, each in inside(entry[ENTRY_BYTES:]) if kind != b"btrt"]
    return full(b"stsd", struct.pack(">I", 1), box(entry[4:8], entry[8:ENTRY_BYTES], *kept)), (width, height)


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

"""The boxes of an MP4, byte by byte (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

import struct
from itertools import islice
from pathlib import Path

import pytest

from undercard.errors import BadFilm
from undercard.film.encoding.boxes import box, full, inside, outer


def written(folder: Path, content: bytes) -> Path:
    path = folder / "film.mp4"
    path.write_bytes(content)
    return path


def test_a_box_begins_with_its_own_size_and_its_kind() -> None:
    assert box(b"free") == b"\0\0\0\x08free"
    assert box(b"ftyp", b"isom", b"\0\0\2\0") == b"\0\0\0\x10ftypisom\0\0\2\0"


def test_a_full_box_has_a_byte_of_version_and_three_of_flags_before_its_content() -> None:
    assert full(b"tkhd", b"x", version=1, flags=3) == b"\0\0\0\x0dtkhd\x01\0\0\x03x"


def test_boxes_are_found_in_a_box_in_their_order() -> None:
    content = box(b"mvhd", b"abc") + box(b"trak") + box(b"trak", box(b"tkhd", b"x"))

    assert list(inside(content)) == [(b"mvhd", b"abc"), (b"trak", b""), (b"trak", box(b"tkhd", b"x"))]
    # QuickTime ends a list of boxes with four zeros.
    assert list(inside(box(b"name", b"x") + bytes(4))) == [(b"name", b"x")]


@pytest.mark.parametrize("size", [0, 7, 13])
def test_a_box_that_claims_more_or_less_than_its_place_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"box b'mvhd' claims {size} bytes"):
        list(islice(inside(struct.pack(">I4s", size, b"mvhd") + b"abcd"), 9))


def test_the_outermost_boxes_of_a_file_are_told_with_their_places(tmp_path: Path) -> None:
    wide = struct.pack(">I4sQ", 1, b"mdat", 20) + b"wide"
    to_the_end = struct.pack(">I4s", 0, b"mdat") + bytes(100)

    found = outer(written(tmp_path, box(b"ftyp", b"isom") + wide + to_the_end))

    assert list(found) == [(b"ftyp", 0, 12), (b"mdat", 12, 20), (b"mdat", 32, 108)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (box(b"ftyp") + b"\0\0\0", "film.mp4 is cut short: 3 bytes at byte 8 are no box"),
        (box(b"moov", b"abcd")[:-1], "film.mp4 is cut short: box b'moov' at byte 0 claims 12 bytes"),
        (struct.pack(">I4s", 4, b"moov"), "film.mp4 is cut short: box b'moov' at byte 0 claims 4 bytes"),
        (struct.pack(">I4sI", 1, b"mdat", 0), "film.mp4 is cut short: box b'mdat' at byte 0 claims 1 bytes"),
        (
            struct.pack(">I4sQ", 1, b"mdat", 1 << 40),
            f"film.mp4 is cut short: box b'mdat' at byte 0 claims {1 << 40} bytes",
        ),
    ],
)
def test_a_file_that_is_cut_short_is_named_with_the_place(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(BadFilm) as caught:
        list(outer(written(tmp_path, content)))

    assert str(caught.value) == said

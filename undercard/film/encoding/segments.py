"""Segments: the pieces of a film, each encoded on its own, and the joining of them."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np

from undercard.domain.requests import Size
from undercard.errors import BadFilm, EncodingFailed, FilmError
from undercard.film.base import ffmpeg
from undercard.film.base.pixels import Pixels, mix
from undercard.film.encoding import h264, mp4
from undercard.film.encoding.track import Content, Track, joined
from undercard.film.motion.transitions import TransitionKind, transition_kind
from undercard.film.timeline.timeline import Clip, Piece, Span, check_size

REVISION = 4
"""Raised whenever the same stills would give other frames or other bytes; part of a cached segment's key."""
STANDS_SECONDS = Fraction(5, 4)
"""How long a picture stands at least that is encoded apart from what moves before and after it. Each begins anew, which
takes bytes: a clock that runs changes the picture every second, and a change takes far less than the whole."""
WHOLE_SECONDS = 10
"""After how long it is there whole again. Who seeks has to decode what lies between, which of repeats is soon done."""
SOME_ROWS = 64
MAX_CLOCK = 500_000
"""Ticks a second: two hours of them still fit into the 32 bits of an MP4's header."""

Letter: TypeAlias = Callable[[Clip, int, Pixels], Pixels]
"""(clip, frame of it, picture) → the picture with the clip's lettering for that frame; itself where there is none."""


def piece_frames(
    piece: Piece, shoot: Callable[[Span], Iterable[Pixels]], letter: Letter = lambda clip, frame, pixels: pixels
) -> Iterator[Pixels]:
    """Yield the frames of *piece*.

    Lettering does not slide away with a picture that is whipped or wiped: where two shots overlap, that of the one
    fades into that of the other over what the transition shows. A dip takes it along into its colour.

    Args:
        piece: from `Timeline.pieces`.
        shoot: gives the frames of a span; `motion.frames` does.
        letter: lays what belongs over a clip's frame over it.
    """

    def lettered(span: Span) -> Iterator[Pixels]:
        for frame, pixels in enumerate(shoot(span), span.start):
            yield letter(span.clip, frame, pixels)

    if piece.transition is None:
        yield from lettered(piece.spans[0])
        return
    kind = transition_kind(piece.transition.kind)
    *before, incoming = piece.spans
    if kind.overlaps:
        yield from _overlapped(before[0], incoming, kind, shoot, letter)
        return
    outgoing = lettered(before[0]) if before else ()
    yield from kind.splice(outgoing, lettered(incoming), before[0].frame_count if before else 0, incoming.frame_count)


def _overlapped(
    outgoing: Span, incoming: Span, kind: TransitionKind, shoot: Callable[[Span], Iterable[Pixels]], letter: Letter
) -> Iterator[Pixels]:
    count = incoming.frame_count
    for index, pixels in enumerate(kind.splice(shoot(outgoing), shoot(incoming), count, count)):
        leaving = letter(outgoing.clip, outgoing.start + index, pixels)
        coming = letter(incoming.clip, incoming.start + index, pixels)
        yield pixels if leaving is coming else mix(leaving, coming, (index + 1) / (count + 1))


def encode(frames: Iterable[Pixels], path: Path, size: Size, fps: Fraction, frame_count: int) -> None:
    """Encode *frames* into a segment at *path*: H.264, yuv420p, bt709; the same frames give the same bytes.

    A picture that stands for `STANDS_SECONDS` or longer is encoded once and then repeated, which takes no time.

    Args:
        frames: RGB, uint8, shape (height, width, 3), full range; read one at a time.
        path: replaced when the segment is whole, and untouched when it fails.
        size: of every frame, (width, height); both even.
        fps: frames a second.
        frame_count: how many frames there are.

    Raises:
        BadInput: yuv420p has no frame of that size.
        FilmError: a frame of another shape, or more or fewer frames than *frame_count*.
        EncodingFailed: ffmpeg stopped with an error, or the disk is full.
    """
    check_size(size)
    doing = f"cannot encode {path.name}"
    with _beside(path) as half:
        parts = _encoded(_counted(frames, size, frame_count, path.name), half.parent, size, fps, doing)
        try:
            with half.open("wb") as file:
                mp4.write(joined(parts), file)
        except OSError as exc:
            raise EncodingFailed(f"{doing}: {exc.strerror}; free space or write elsewhere") from exc


def standing_frames(fps: Fraction) -> int:
    """Return for how many frames a picture must stand to be encoded once."""
    return max(2, math.ceil(STANDS_SECONDS * fps))


def _encoded(frames: Iterable[Pixels], folder: Path, size: Size, fps: Fraction, doing: str) -> list[Track]:
    """Encode *frames* into files in *folder*, a part for each picture that stands and each stretch between such."""
    parts: list[Path] = []
    stands: dict[Path, int] = {}
    least = standing_frames(fps)
    with ExitStack() as encoder:
        stdin: IO[bytes] | None = None
        for pixels, count in _runs(frames):
            if stdin is None or count >= least:
                # What moves is whole before what stands begins.
                encoder.close()
                parts.append(folder / f"{len(parts)}.mp4")
                command = ffmpeg.encode_command(parts[-1], size, fps, stands=count >= least)
                stdin = encoder.enter_context(ffmpeg.running(command, doing))
            if count >= least:
                stdin.write(pixels.data)
                encoder.close()
                stdin, stands[parts[-1]] = None, count
                continue
            for _ in range(count):
                stdin.write(pixels.data)
    tracks = {part: _read(part) for part in parts}
    return [_standing(track, stands[part], fps) if part in stands else track for part, track in tracks.items()]


def _standing(picture: Track, count: int, fps: Fraction) -> Track:
    """Return *count* frames that show *picture*; now and then it is there whole, for who seeks."""
    found = h264.headers(picture.configuration)
    # Two that are whole may not follow each other without a mark that tells them apart (H.264, 7.4.3, idr_pic_id).
    group = max(2, round(WHOLE_SECONDS * fps))
    repeats = [h264.skipped(found, index) for index in range(1, min(group, count))]
    lengths = [int(picture.lengths[0]), *map(len, repeats)]
    content: list[Content] = []
    for start in range(0, count, group):
        content += [*picture.content, b"".join(repeats[: count - start - 1])]
    numbers = np.arange(count)
    return replace(
        picture,
        lengths=np.array(lengths)[numbers % group],
        frames=numbers,
        keys=numbers % group == 0,
        content=tuple(content),
    )


def _runs(frames: Iterable[Pixels]) -> Iterator[tuple[Pixels, int]]:
    """Yield each picture with the number of frames through which it stands, and keep no more than one."""
    shown: Pixels | None = None
    count = 0
    for frame in frames:
        if shown is not None and _same(shown, frame):
            count += 1
            continue
        if shown is not None:
            yield shown, count
        shown, count = np.ascontiguousarray(frame), 1
    if shown is not None:
        yield shown, count


def _same(before: Pixels, after: Pixels) -> bool:
    # A few rows tell most pictures apart.
    few = slice(None, None, SOME_ROWS)
    return before is after or (np.array_equal(before[few], after[few]) and np.array_equal(before, after))


def join(segments: Sequence[Path], path: Path, sound: Path | None = None, tags: str = "") -> None:
    """Join *segments*, in order, into a film at *path* without encoding them again.

    Args:
        segments: written by `encode` with one size and one fps.
        path: replaced when the film is whole, and untouched when it fails.
        sound: written by `loudness.write`, as long as the film; None for a film without.
        tags: from `chapters.tags`.

    Raises:
        FilmError: there are none, or they differ in size or fps.
        EncodingFailed: a segment cannot be read, or ffmpeg stopped with an error.
    """
    if not segments:
        raise FilmError(f"{path.name}: no segments to join; give at least one")
    film = joined(read_all(segments))
    # On this clock a frame and a sample are both whole, so that picture and sound end together to the sample.
    clock = math.lcm(film.clock, ffmpeg.SOUND_RATE) if sound else 0
    with _beside(path) as half:
        command = ffmpeg.join_command(half, sound, min(clock, MAX_CLOCK))
        if tags:
            listed = half.with_suffix(".ffmetadata")
            listed.write_text(tags, encoding="utf-8")
            command = ffmpeg.with_tags(command, listed)
        with ffmpeg.running(command, f"cannot join {path.name}") as stdin:
            mp4.write(film, stdin)


def read_all(segments: Sequence[Path]) -> list[Track]:
    """Return the tracks of *segments*, which must go together.

    Raises:
        FilmError: they differ in size or fps, or in what a decoder is told of them at the start.
        EncodingFailed: one cannot be read.
    """
    tracks = [_read(segment) for segment in segments]
    for segment, track in zip(segments, tracks, strict=True):
        if _grid(track) != _grid(tracks[0]):
            raise FilmError(
                f"segment {segment} has (ticks a second, ticks a frame, size) {_grid(track)} and {segments[0].name}"
                f" has {_grid(tracks[0])}; encode both with one size and one fps"
            )
        # A player reads the headers of the first segment for all of them.
        if track.description != tracks[0].description:
            raise FilmError(f"segment {segment} was encoded otherwise than {segments[0].name}; encode both again")
    return tracks


def _read(segment: Path) -> Track:
    try:
        return mp4.read(segment)
    except BadFilm as exc:
        raise EncodingFailed(f"segment {segment} cannot be read: {exc}; encode it again") from exc


def _grid(track: Track) -> tuple[int, int, str]:
    return track.clock, track.ticks, f"{track.size[0]}x{track.size[1]}"


def _counted(frames: Iterable[Pixels], size: Size, frame_count: int, name: str) -> Iterator[Pixels]:
    shape = (size[1], size[0], 3)
    count = 0
    for frame in frames:
        count += 1
        if count > frame_count:
            raise FilmError(f"{name}: more than the {frame_count} frames that belong in it came")
        if frame.shape != shape or frame.dtype != np.uint8:
            raise FilmError(f"{name}: frame {count - 1} is {frame.dtype} {frame.shape}, not uint8 {shape}")
        yield frame
    if count != frame_count:
        raise FilmError(f"{name}: {count} frames came where {frame_count} belong")


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a path in a folder of its own next to *path*; when all went well, the file there takes its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.stem[:40]}.", dir=path.parent))
    half = folder / "half.mp4"
    try:
        yield half
        half.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

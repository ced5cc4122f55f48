"""Segments: the pieces of a film, each encoded on its own, and the joining of them."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np

from undercard.errors import EncodingFailed, FilmError
from undercard.film import ffmpeg
from undercard.film.pixels import Pixels, mix
from undercard.film.timeline import Clip, Piece, Span, check_size
from undercard.film.transition import TransitionKind, transition_kind
from undercard.requests import Size

REVISION = 3
"""Raised whenever the same stills would give other frames or other bytes; part of a cached segment's key."""
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

    Args:
        frames: RGB, uint8, shape (height, width, 3), full range; read one at a time.
        path: replaced when the segment is whole, and untouched when it fails.
        size: of every frame, (width, height); both even.
        fps: frames a second.
        frame_count: how many frames there are.

    Raises:
        BadInput: yuv420p has no frame of that size.
        FilmError: a frame of another shape, or more or fewer frames than *frame_count*.
        EncodingFailed: ffmpeg stopped with an error.
    """
    check_size(size)
    doing = f"cannot encode {path.name}"
    with (
        _beside(path) as half,
        ffmpeg.running(ffmpeg.encode_command(half, size, fps), doing) as stdin,
    ):
        for frame in _counted(frames, size, frame_count, path.name):
            stdin.write(np.ascontiguousarray(frame).data)


def join(segments: Sequence[Path], path: Path, sound: Path | None = None, tags: str = "") -> None:
    """Join *segments*, in order, into a film at *path* without encoding them again.

    Args:
        segments: written by `encode` with one size and one fps.
        path: replaced when the film is whole, and untouched when it fails.
        sound: written by `loudness.write`, as long as the film; None for a film without.
        tags: from `chapters.tags`.

    Raises:
        FilmError: there are none, they differ in size or fps, or one has a line break in its name.
        EncodingFailed: a segment cannot be read, or ffmpeg stopped with an error.
    """
    if not segments:
        raise FilmError(f"{path.name}: no segments to join; give at least one")
    for segment in segments:
        if "\n" in str(segment.absolute()):
            raise FilmError(f"{str(segment)!r} has a line break in its name, which ffmpeg cannot read; rename it")
    tick, frame_ticks, _ = _common_grid(segments)
    # On this clock a frame and a sample are both whole, so that picture and sound end together to the sample.
    clock = math.lcm(tick.denominator, ffmpeg.SOUND_RATE) if sound else 0
    with _beside(path) as half:
        script = half.with_suffix(".ffconcat")
        script.write_text(ffmpeg.concat_script(list(segments)), encoding="utf-8")
        command = ffmpeg.join_command(script, half, frame_ticks, sound, min(clock, MAX_CLOCK))
        if tags:
            listed = half.with_suffix(".ffmetadata")
            listed.write_text(tags, encoding="utf-8")
            command = ffmpeg.with_tags(command, listed)
        with ffmpeg.running(command, f"cannot join {path.name}"):
            pass


def _common_grid(segments: Sequence[Path]) -> tuple[Fraction, int, Size]:
    """Return the grid that all *segments* share; ffmpeg would join others, or leave one out, without a word."""
    common = _grid(segments[0])
    for segment in segments[1:]:
        if (grid := _grid(segment)) != common:
            raise FilmError(
                f"segment {segment} has (tick, ticks a frame, size) {_shown(grid)} and {segments[0].name}"
                f" has {_shown(common)}; encode both with one size and one fps"
            )
    return common


def _grid(segment: Path) -> tuple[Fraction, int, Size]:
    """Return the tick of a segment's clock in seconds, the ticks of a frame, and the size."""
    try:
        with av.open(f"file:{segment}") as container:
            stream = container.streams.video[0]
            packet = next(container.demux(stream))
            grid = stream.time_base, packet.duration, (stream.width, stream.height)
    except (av.FFmpegError, StopIteration, IndexError) as exc:
        raise EncodingFailed(f"segment {segment} cannot be read: {exc}; encode it again") from exc
    tick, ticks, size = grid
    if not tick or not ticks:
        raise EncodingFailed(f"segment {segment} holds no frame; encode it again")
    return tick, ticks, size


def _shown(grid: tuple[Fraction, int, Size]) -> str:
    tick, ticks, (width, height) = grid
    return f"({tick} s, {ticks}, {width}x{height})"


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

"""The last look: decode what was encoded and hold it against the timeline, and against what was drawn.

A piece is decoded when it is cut. Joining copies its pictures, which `check_joined` proves byte for byte, so that a
film of five hundred shots need not be decoded for the sake of one that changed. `check` decodes a whole film.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from undercard.domain.requests import Size
from undercard.errors import BadFilm
from undercard.film.base import ticks
from undercard.film.checking.watch import Expected, Look, faults, points, step_fault, unlike
from undercard.film.encoding import mp4
from undercard.film.encoding.boxes import outer
from undercard.film.encoding.segments import read_all
from undercard.film.encoding.track import Track, joined
from undercard.film.sound.loudness import CEILING_DBTP, TARGET_LUFS, Loudness
from undercard.film.sound.synthesis import RATE
from undercard.film.timeline.timeline import Timeline

BT709 = 1
"""Code point of BT.709 for primaries, transfer and matrix alike (ITU-T H.273, tables 2 to 4)."""
LIMITED_RANGE = 1
"""AVCOL_RANGE_MPEG of FFmpeg's pixfmt.h."""
LOUDNESS_TOLERANCE_LU = 1.0
"""What EBU R128 allows where a level cannot be met exactly."""
PEAK_TOLERANCE_DB = 0.3
"""Of the meters that follow EBU Tech 3341."""
LEAST_SECONDS = 3
"""A shorter sound has no loudness to speak of: R128's short-term window is three seconds."""


@dataclass(frozen=True, slots=True)
class FilmReport:
    """What a film is, for its manifest."""

    frames: int
    seconds: str
    """Exact, as a fraction such as `1001/24`."""
    fps: str
    size: Size
    codec: str
    pixel_format: str
    size_bytes: int


def check(path: Path, timeline: Timeline) -> FilmReport:
    """Decode every frame of the film at *path* and return what it is.

    Raises:
        BadFilm: it cannot be decoded, or is not what *timeline* says; the message names what and which value.
    """
    _check_faststart(path)
    try:
        with av.open(f"file:{path}") as container:
            report = _decoded(container, path, timeline)
    except av.FFmpegError as exc:
        raise BadFilm(f"{path.name} cannot be decoded: {exc}; make the film again") from exc
    return report


@dataclass(frozen=True, slots=True)
class Ends:
    """Mean luma where a piece begins and ends: its first two frames, its last two."""

    first: tuple[float, float]
    last: tuple[float, float]


def check_piece(
    path: Path, fps: Fraction, size: Size, drawn: Sequence[Look], expected: Expected, where: Callable[[int], str]
) -> Ends:
    """Decode every frame of the piece at *path*.

    Args:
        path: written by `segments.encode`.
        fps: frames a second.
        size: (width, height).
        drawn: a look at each frame as it was drawn.
        expected: what it may and must show.
        where: names a frame of the piece, with its time code in the film.

    Raises:
        BadFilm: it cannot be decoded, is not what was drawn, or shows what nobody should see.
    """
    try:
        with av.open(f"file:{path}") as container:
            looks = _looks(container, path.name, fps, size, len(drawn))
    except av.FFmpegError as exc:
        raise BadFilm(f"{path.name} cannot be decoded: {exc}; make the film again") from exc
    for fault in (*unlike(drawn, looks), *faults(looks, expected, fps)):
        raise BadFilm(f"{where(fault.frame)}: {fault.what}; render the shot again")
    means = [float(look.mean()) for look in looks]
    return Ends((means[0], means[min(1, len(means) - 1)]), (means[max(0, len(means) - 2)], means[-1]))


def _looks(container: InputContainer, name: str, fps: Fraction, size: Size, frame_count: int) -> list[Look]:
    stream = container.streams.video[0]
    # One core: pieces are cut side by side, and a decoder on all cores holds a picture for each.
    stream.thread_count = 1
    stream.codec_context.options = {"err_detect": "explode"}
    rows, columns = points(size)
    looks: list[Look] = []
    for frame in container.decode(stream):
        _check_frame(name, frame, len(looks), fps, size)
        plane = frame.planes[0]
        luma = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        looks.append(luma[rows[:, None], columns].astype(np.float32))
    _check_colour(name, stream.codec_context)
    _expect(name, "number of frames", len(looks), frame_count)
    return looks


def check_joined(path: Path, timeline: Timeline, segments: Sequence[Path], sound: Path | None = None) -> FilmReport:
    """Check the film at *path* against the checked *segments* that it was joined from, without decoding a picture.

    Every picture in it must be theirs, byte for byte, on the frame that it belongs on.

    Raises:
        BadFilm: it is not what *timeline* says; the message names what and which value.
    """
    _check_faststart(path)
    try:
        with av.open(f"file:{path}") as film:
            stream = film.streams.video[0]
            _check_pictures(path, segments, timeline)
            _expect(path.name, "codec", stream.codec_context.name, "h264")
            _expect(path.name, "frames a second", ticks.rate(stream.average_rate), timeline.fps)
            _expect(path.name, "size", (stream.width, stream.height), timeline.size)
            _check_colour(path.name, stream.codec_context)
            length = ticks.seconds(stream.duration, stream.time_base)
            _expect(path.name, "length in seconds", length, timeline.seconds)
            _expect(path.name, "sound", len(film.streams.audio), int(sound is not None))
            for heard in film.streams.audio:
                _check_sound(path.name, heard, timeline)
    except (av.FFmpegError, IndexError) as exc:
        raise BadFilm(f"{path.name} cannot be read: {exc}; make the film again") from exc
    return _report(path, timeline)


def _check_pictures(path: Path, segments: Sequence[Path], timeline: Timeline) -> None:
    found, wanted = mp4.read(path), joined(read_all(segments))
    if found.configuration != wanted.configuration:
        raise BadFilm(f"{path.name}: a decoder is told otherwise of its pictures than of its segments'; make it again")
    count = min(len(found.lengths), len(wanted.lengths))
    others = np.flatnonzero(
        (found.lengths[:count] != wanted.lengths[:count]) | (found.frames[:count] != wanted.frames[:count])
    )
    first = int(others[0]) if others.size else _first_unlike(found, wanted)
    if first is not None and first < count:
        raise BadFilm(f"{path.name}: picture {first}, in coded order, is not that of its segment; make it again")
    if len(found.frames) < len(wanted.frames):
        raise BadFilm(f"{path.name}: it ends before its segments do; make it again")
    _expect(path.name, "number of frames", len(found.frames), timeline.frame_count)
    _expect(path.name, "length of a frame in seconds", Fraction(found.ticks, found.clock), 1 / timeline.fps)


def _first_unlike(found: Track, wanted: Track) -> int | None:
    """Return the first picture that has other bytes than wanted; None where all are alike."""
    at = 0
    theirs = wanted.blocks()
    ahead = np.empty(0, np.uint8)
    for block in found.blocks():
        left = np.frombuffer(block, np.uint8)
        while left.size:
            if not ahead.size:
                ahead = np.frombuffer(next(theirs, b""), np.uint8)
            size = min(left.size, ahead.size)
            unlike = np.flatnonzero(left[:size] != ahead[:size])
            if not size or unlike.size:
                start = at + (int(unlike[0]) if size else 0)
                return int(np.searchsorted(np.cumsum(wanted.lengths), start, "right"))
            left, ahead, at = left[size:], ahead[size:], at + size
    return None


def _check_sound(name: str, stream: AudioStream, timeline: Timeline) -> None:
    _expect(name, "codec of the sound", stream.codec_context.name, "aac")
    _expect(name, "samples a second", stream.rate, RATE)
    _expect(name, "first sample", stream.start_time or 0, 0)
    # Picture and sound end together, to the sample.
    _expect(name, "samples of sound", stream.duration, round(timeline.seconds * RATE))


def check_loudness(name: str, found: Loudness, seconds: Fraction) -> None:
    """Check that a sound is as loud as players expect; what is too short or too quiet to be measured passes.

    Raises:
        BadFilm: it is too loud or too quiet, or its peaks are too high.
    """
    if found.true_peak_dbtp > CEILING_DBTP + PEAK_TOLERANCE_DB:
        raise BadFilm(
            f"{name}: peaks of {found.true_peak_dbtp} dBTP, above {CEILING_DBTP}; lower the gain of its tracks"
        )
    if found.audible and seconds >= LEAST_SECONDS and abs(found.lufs - TARGET_LUFS) > LOUDNESS_TOLERANCE_LU:
        raise BadFilm(f"{name}: a loudness of {found.lufs} LUFS, not {TARGET_LUFS}; even out the gains of its tracks")


def check_seam(before: Ends, after: Ends, where: str) -> None:
    """Check that the light goes on as it went where a shot's body meets its own crossfade or dip.

    Raises:
        BadFilm: it jumps.
    """
    step = step_fault(before.last, after.first)
    if step is not None:
        raise BadFilm(f"{where}: the light jumps by {step:.0f} of 219 steps of luma at a seam; make the film again")


def time_code(frame: int, fps: Fraction) -> str:
    """Return *frame* as hours, minutes, seconds and frames, none dropped (SMPTE ST 12-1)."""
    each = max(1, round(fps))
    seconds, rest = divmod(frame, each)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest:02d}"


def _decoded(container: InputContainer, path: Path, timeline: Timeline) -> FilmReport:
    name = path.name
    if not container.streams.video:
        raise BadFilm(f"{name} holds no picture")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    # Without this a damaged frame is patched up from its neighbours and passes.
    stream.codec_context.options = {"err_detect": "explode"}
    _expect(name, "codec", stream.codec_context.name, "h264")
    _expect(name, "frames a second", ticks.rate(stream.average_rate), timeline.fps)
    count = 0
    for frame in container.decode(stream):
        _check_frame(name, frame, count, timeline.fps, timeline.size)
        count += 1
    # As the pictures themselves say, not the container around them: known once they are decoded.
    _check_colour(name, stream.codec_context)
    _expect(name, "number of frames", count, timeline.frame_count)
    _expect(name, "length in seconds", ticks.seconds(stream.duration, stream.time_base), timeline.seconds)
    for heard in container.streams.audio:
        _check_sound(name, heard, timeline)
    return _report(path, timeline)


def _report(path: Path, timeline: Timeline) -> FilmReport:
    return FilmReport(
        frames=timeline.frame_count,
        seconds=str(timeline.seconds),
        fps=str(timeline.fps),
        size=timeline.size,
        codec="h264",
        pixel_format="yuv420p",
        size_bytes=path.stat().st_size,
    )


def _check_frame(name: str, frame: VideoFrame, index: int, fps: Fraction, size: Size) -> None:
    where = f"frame {index}: "
    _expect(name, f"{where}size", (frame.width, frame.height), size)
    _expect(name, f"{where}pixel format", frame.format.name, "yuv420p")
    _expect(name, f"{where}time in seconds", ticks.seconds(frame.pts, frame.time_base), index / fps)


def _check_colour(name: str, decoder: VideoCodecContext) -> None:
    for what, code in (
        ("colour primaries", decoder.color_primaries),
        ("transfer", decoder.color_trc),
        ("colour matrix", decoder.colorspace),
    ):
        _expect(name, what, int(code), BT709)
    _expect(name, "colour range", int(decoder.color_range), LIMITED_RANGE)


def _expect(name: str, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise BadFilm(f"{name}: {what} is {found}, not {expected}")


def _check_faststart(path: Path) -> None:
    """Check that the index comes before the pictures, so that a browser plays while it still loads."""
    try:
        order = [kind for kind, _, _ in outer(path) if kind in {b"moov", b"mdat"}]
    except OSError as exc:
        raise BadFilm(f"{path.name}: {exc.strerror}; make the film again") from exc
    if order[:1] != [b"moov"] or b"mdat" not in order:
        found = ", ".join(kind.decode() for kind in order) or "neither"
        raise BadFilm(f"{path.name}: moov (the index) must come before mdat (the pictures); found {found}")

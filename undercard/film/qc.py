"""The last look: decode the finished film and hold it against its timeline."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from undercard.errors import BadFilm
from undercard.film.timeline import Timeline
from undercard.requests import Size

BT709 = 1
"""Code point of BT.709 for primaries, transfer and matrix alike (ITU-T H.273, tables 2 to 4)."""
LIMITED_RANGE = 1
"""AVCOL_RANGE_MPEG of FFmpeg's pixfmt.h."""


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


def _decoded(container: InputContainer, path: Path, timeline: Timeline) -> FilmReport:
    name = path.name
    if not container.streams.video:
        raise BadFilm(f"{name} holds no picture")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    # Without this a damaged frame is patched up from its neighbours and passes.
    stream.codec_context.options = {"err_detect": "explode"}
    _expect(name, "codec", stream.codec_context.name, "h264")
    _expect(name, "frames a second", stream.average_rate, timeline.fps)
    count = 0
    for frame in container.decode(stream):
        _check_frame(name, frame, count, timeline)
        count += 1
    # As the pictures themselves say, not the container around them: known once they are decoded.
    _check_colour(name, stream.codec_context)
    _expect(name, "number of frames", count, timeline.frame_count)
    duration = (stream.duration or 0) * (stream.time_base or Fraction(0))
    _expect(name, "length in seconds", duration, timeline.seconds)
    return FilmReport(
        frames=count,
        seconds=str(timeline.seconds),
        fps=str(timeline.fps),
        size=timeline.size,
        codec="h264",
        pixel_format="yuv420p",
        size_bytes=path.stat().st_size,
    )


def _check_frame(name: str, frame: VideoFrame, index: int, timeline: Timeline) -> None:
    where = f"frame {index}: "
    _expect(name, f"{where}size", (frame.width, frame.height), timeline.size)
    _expect(name, f"{where}pixel format", frame.format.name, "yuv420p")
    time = None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
    _expect(name, f"{where}time in seconds", time, index / timeline.fps)


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
        order = [kind for kind in _boxes(path) if kind in {b"moov", b"mdat"}]
    except (OSError, struct.error) as exc:
        raise BadFilm(f"{path.name} is no whole MP4: {exc}; make the film again") from exc
    if order[:1] != [b"moov"] or b"mdat" not in order:
        found = ", ".join(kind.decode() for kind in order) or "neither"
        raise BadFilm(f"{path.name}: moov (the index) must come before mdat (the pictures); found {found}")


def _boxes(path: Path) -> Iterator[bytes]:
    """Yield the kinds of the outermost boxes of an MP4 (ISO/IEC 14496-12, 4.2)."""
    length = path.stat().st_size
    with path.open("rb") as file:
        start = 0
        while start < length:
            file.seek(start)
            size, kind = struct.unpack(">I4s", file.read(8))
            header = 8
            if size == 1:
                # The size did not fit and follows in 64 bits.
                (size,) = struct.unpack(">Q", file.read(8))
                header = 16
            elif size == 0:
                size = length - start
            if size < header or start + size > length:
                raise BadFilm(f"{path.name} is cut short: box {kind!r} at byte {start} claims {size} bytes")
            yield kind
            start += size

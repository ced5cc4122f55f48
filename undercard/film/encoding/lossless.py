"""Masters: the frames of a piece kept without any loss, for what is delivered in another codec than the film's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from undercard.domain.requests import Size
from undercard.errors import BadFilm
from undercard.film.base import ffmpeg
from undercard.film.base.pixels import Pixels

REVISION = 1
"""Raised whenever the same frames would give other pixels."""


def kept(frames: Iterable[Pixels], path: Path, size: Size, fps: Fraction) -> Iterator[Pixels]:
    """Yield *frames* as they come, and write them to *path* without loss meanwhile: FFV1 in Matroska.

    The file is whole once the last frame was taken.

    Args:
        frames: RGB, uint8, shape (height, width, 3).
        path: where they go; the name ends in `.mkv`.
        size: of every frame, (width, height).
        fps: frames a second.

    Raises:
        EncodingFailed: ffmpeg stopped with an error.
    """
    with ffmpeg.running(ffmpeg.lossless_command(path, size, fps), f"cannot keep {path.name}") as stdin:
        for frame in frames:
            stdin.write(np.ascontiguousarray(frame).data)
            yield frame


def frames(masters: Sequence[Path]) -> Iterator[Pixels]:
    """Yield the frames of *masters*, one after the other: RGB, uint8, as they were drawn.

    Raises:
        BadFilm: one cannot be decoded.
    """
    for master in masters:
        try:
            with av.open(f"file:{master}") as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                for frame in container.decode(stream):
                    yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
        except (av.FFmpegError, IndexError) as exc:
            raise BadFilm(f"{master.name} cannot be decoded: {exc}; render the film again") from exc

"""Sound files: whether one can be played, and its samples at the film's rate, a stretch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np

from undercard.errors import UnreadableSound
from undercard.film.sound.synthesis import RATE, Wave


def check_playable(path: Path) -> None:
    """Decode the beginning of the sound file at *path*.

    Raises:
        UnreadableSound: it holds no sound that can be decoded.
    """
    with Reader(path) as reader:
        reader.read(1)
        if reader.ended:
            raise UnreadableSound(f"{path.name} holds no sound; give another file")


class Reader:
    """A sound file from a place in it onwards, as stereo at `RATE`; after its end there is silence."""

    def __init__(self, path: Path, skip_seconds: Fraction = Fraction(0), loop: bool = False) -> None:
        self.path = path
        self.ended = False
        """The file had less than was asked for."""
        self._loop = loop
        self._skip = round(skip_seconds * RATE)
        self._source = self._decoded()
        self._left = np.zeros((0, 2), np.float32)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A generator closes the file that it reads when it is closed itself.
        self._source.close()  # type: ignore[attr-defined]

    def read(self, count: int) -> Wave:
        """Return the next *count* samples, shape (count, 2).

        Raises:
            UnreadableSound: the file cannot be decoded.
        """
        found = [self._left]
        length = len(self._left)
        while length < count and not self.ended:
            part = next(self._source, None)
            if part is None:
                self.ended = True
                part = np.zeros((count - length, 2), np.float32)
            found.append(part)
            length += len(part)
        whole = np.concatenate(found)
        if len(whole) < count:
            whole = np.concatenate([whole, np.zeros((count - len(whole), 2), np.float32)])
        self._left = whole[count:]
        return whole[:count]

    def _decoded(self) -> Iterator[Wave]:
        while True:
            skip = self._skip
            heard = 0
            for part in _samples(self.path):
                kept = part[min(skip, len(part)) :]
                skip -= len(part) - len(kept)
                if len(kept):
                    heard += len(kept)
                    yield kept
            if not self._loop or not heard:
                return


def _samples(path: Path) -> Iterator[Wave]:
    try:
        with av.open(f"file:{path}") as container:
            if not container.streams.audio:
                raise UnreadableSound(f"{path.name} holds no sound; give another file")
            stereo = av.AudioResampler(format="flt", layout="stereo", rate=RATE)
            for frame in container.decode(container.streams.audio[0]):
                for part in stereo.resample(frame):
                    yield np.ascontiguousarray(part.to_ndarray().reshape(-1, 2))
            for part in stereo.resample(None):
                yield np.ascontiguousarray(part.to_ndarray().reshape(-1, 2))
    except (av.FFmpegError, OSError, ValueError) as exc:
        raise UnreadableSound(f"{path.name} cannot be played: {exc}; give another file") from exc

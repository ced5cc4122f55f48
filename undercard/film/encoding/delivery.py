"""Delivery: the finished film in other codecs and shapes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from undercard.domain.requests import Size
from undercard.errors import BadFilm, BadInput
from undercard.film.base import ffmpeg, ticks
from undercard.film.base.pixels import Pixels
from undercard.film.encoding import lossless
from undercard.film.encoding.delivery_presets import CODE_POINTS, LIMITED_RANGE, Preset, preset

REVISION = 1
"""Raised whenever the same frames would give other bytes."""
SHAPES: dict[str, Fraction | None] = {"whole": None, "vertical": Fraction(9, 16), "square": Fraction(1)}
"""Width by height of what is delivered; None for the film's own."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A film as it is wanted."""

    preset: str
    """A name in `delivery_presets.PRESETS`."""
    shape: str = "whole"
    """A name in `SHAPES`."""

    @property
    def is_the_film(self) -> bool:
        """Nothing has to be encoded for it: the film itself is H.264 of its whole frame."""
        return (self.preset, self.shape) == ("h264", "whole")

    def file_name(self, stem: str) -> str:
        """Return what it is called beside the film *stem*."""
        shape = "" if self.shape == "whole" else f"-{self.shape}"
        return f"{stem}-{self.preset}{shape}{preset(self.preset).suffix}"


def window(size: Size, shape: str) -> Size:
    """Return the size of the window that *shape* cuts out of frames of *size*: full height or full width, even.

    Raises:
        BadInput: there is no such shape.
    """
    check_shape(shape)
    ratio = SHAPES[shape]
    if ratio is None:
        return size
    width, height = min(Fraction(size[0]), size[1] * ratio), min(Fraction(size[1]), size[0] / ratio)
    return max(2, int(width) // 2 * 2), max(2, int(height) // 2 * 2)


def check_shape(shape: str) -> None:
    """Check that there is a shape called *shape*.

    Raises:
        BadInput: there is not.
    """
    if shape not in SHAPES:
        raise BadInput(f"shape {shape!r} does not exist; use one of {', '.join(SHAPES)}")


def deliver(
    film: Path,
    target: Path,
    wanted: Preset,
    shape: str = "whole",
    centres: Sequence[float] = (),
    masters: Sequence[Path] = (),
) -> None:
    """Encode *film* as *wanted* into *target*, which is replaced when that is whole, and untouched when it fails.

    Args:
        film: a finished film; its sound, chapters and title are taken as they are.
        target: where it goes.
        wanted: from `delivery_presets`.
        shape: a name in `SHAPES`.
        centres: for each frame, where the middle of the window should be, 0…1 of the film's width; the middle of the
            picture where there are none. The window never leaves the picture.
        masters: the film's frames without loss, from `lossless.kept`; the film's own where there are none.

    Raises:
        BadInput: there is no such shape.
        BadFilm: the film cannot be decoded, or what was made is not what was asked for.
        EncodingFailed: ffmpeg stopped with an error.
    """
    try:
        with av.open(f"file:{film}") as container:
            stream = container.streams.video[0]
            size, fps, count = (stream.width, stream.height), ticks.rate(stream.average_rate), stream.frames
            heard = bool(container.streams.audio)
    except (av.FFmpegError, IndexError) as exc:
        raise BadFilm(f"{film.name} cannot be decoded: {exc}; make the film again") from exc
    if not fps:
        raise BadFilm(f"{film.name} does not say how many frames a second it has; make the film again")
    shown = _within(window(size, shape), wanted.longest)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.stem[:40]}.", dir=target.parent) as folder:
        half = Path(folder) / target.name
        sound = wanted.sound if heard else None
        recipe = ffmpeg.Recipe(wanted.options, wanted.filters, sound, wanted.tagged, wanted.colours)
        command = ffmpeg.deliver_command(film, half, recipe, shown, fps)
        with ffmpeg.running(command, f"cannot encode {target.name}") as stdin:
            pictures = lossless.frames(masters) if masters else _decoded(film)
            for frame in _windows(pictures, size, shown, shape, centres):
                stdin.write(frame.data)
        _check(half, wanted, shown, count, heard)
        half.replace(target)


def _decoded(film: Path) -> Iterator[Pixels]:
    with av.open(f"file:{film}") as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24", src_colorspace="ITU709"), np.uint8)


def _windows(
    pictures: Iterable[Pixels], size: Size, shown: Size, shape: str, centres: Sequence[float]
) -> Iterator[Pixels]:
    width, height = window(size, shape)
    top = (size[1] - height) / 2
    for index, pixels in enumerate(pictures):
        if (width, height) == size == shown:
            yield np.ascontiguousarray(pixels)
            continue
        centre = centres[min(index, len(centres) - 1)] if centres else 0.5
        # Fractions of a pixel: the window glides.
        left = min(max(centre * size[0] - width / 2, 0.0), float(size[0] - width))
        box = (left, top, left + width, top + height)
        yield np.asarray(Image.fromarray(pixels).resize(shown, Image.Resampling.BICUBIC, box=box))


def _within(size: Size, longest: int | None) -> Size:
    if longest is None or max(size) <= longest:
        return size
    width, height = (max(2, round(side * longest / max(size) / 2) * 2) for side in size)
    return width, height


def _check(path: Path, wanted: Preset, size: Size, count: int, heard: bool) -> None:
    """Decode what was made, and hold it against what was asked for."""
    if wanted.codec == "webp":
        # FFmpeg writes such files and does not read them.
        with Image.open(path) as picture:
            if picture.size != size or getattr(picture, "n_frames", 1) < 1:
                raise BadFilm(f"{path.name}: {picture.size} px, not {size}; encode it again")
        return
    try:
        with av.open(f"file:{path}") as container:
            stream = container.streams.video[0]
            found = sum(1 for _ in container.decode(stream))
            facts = (stream.codec_context.codec.canonical_name, stream.width, stream.height)
            decoder = stream.codec_context
            colours = tuple(map(int, (decoder.color_primaries, decoder.color_trc, decoder.colorspace)))
            limited = int(decoder.color_range) == LIMITED_RANGE
            sounds = len(container.streams.audio)
    except av.FFmpegError as exc:
        raise BadFilm(f"{path.name} cannot be decoded: {exc}; encode it again") from exc
    if facts != (wanted.codec, *size):
        raise BadFilm(f"{path.name} is {facts}, not {(wanted.codec, *size)}; encode it again")
    right = (count, int(heard), CODE_POINTS[wanted.colours], True)
    if wanted.tagged and (found, sounds, colours, limited) != right:
        raise BadFilm(
            f"{path.name}: (frames, sounds, colours, limited range) are {(found, sounds, colours, limited)}, not"
            f" {right}; encode it again"
        )

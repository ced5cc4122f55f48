"""Draws a film on one picture: a frame every two seconds with its time, and under each row what is heard meanwhile."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from undercard.film.sheet.text import font

EVERY_SECONDS = 2
COLUMNS = 6
TILE = (238, 134)
GAP = 2
"""Pixels between two tiles, and between a row and its sound."""
ROW_GAP = 10
SOUND = 26
"""Pixels that the loudest moment of the sound is high."""
RATE = 48_000
BACKGROUND, GROOVE, WAVE, LETTERS, SHADOW = "#0d1117", "#161b22", "#c9643b", "#ffffff", "#000000"


def drawn(film: Path) -> Image.Image:
    """Return the strip of the film at *film*."""
    tiles, fps, count = _tiles(film)
    level = _levels(film, count / fps)
    rows = -(-len(tiles) // COLUMNS)
    width = COLUMNS * (TILE[0] + GAP) - GAP
    height = TILE[1] + GAP + SOUND + ROW_GAP
    strip = Image.new("RGB", (width, rows * height - ROW_GAP), BACKGROUND)
    pen = ImageDraw.Draw(strip)
    for index, tile in enumerate(tiles):
        left, top = index % COLUMNS * (TILE[0] + GAP), index // COLUMNS * height
        strip.paste(tile, (left, top))
        minutes, seconds = divmod((index + 1) * EVERY_SECONDS, 60)
        # Top left: captions and names come below, clocks on the right.
        place, code = (left + 7, top + 6), f"{minutes}:{seconds:02d}"
        pen.text(place, code, fill=LETTERS, font=font(14), anchor="lt", stroke_width=2, stroke_fill=SHADOW)
    for row in range(rows):
        middle = row * height + TILE[1] + GAP + SOUND // 2
        _wave(pen, level, row, middle, width, float(count / fps))
    return strip


def _tiles(film: Path) -> tuple[list[Image.Image], Fraction, int]:
    """Return the frames that are shown, scaled, with the film's frame rate and its number of frames."""
    tiles: list[Image.Image] = []
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        fps = stream.average_rate
        assert fps is not None
        for frame in container.decode(stream):
            # Not the first frame: films begin in black.
            if (len(tiles) + 1) * EVERY_SECONDS * fps <= round(
                (frame.pts or 0) * (frame.time_base or Fraction(1)) * fps
            ):
                picture = Image.fromarray(np.asarray(frame.to_ndarray(format="rgb24", src_colorspace="ITU709")))
                tiles.append(picture.resize(TILE, Image.Resampling.LANCZOS))
        return tiles, fps, stream.frames


def _levels(film: Path, seconds: Fraction) -> NDArray[np.float64]:
    """Return how loud each pixel's stretch of the film is, 0…1 of the loudest; all 0 for a film without sound.

    A pixel is a stretch as long as a tile's time by its width, so that what is heard stands below what is seen.
    """
    columns = int(seconds / EVERY_SECONDS * (TILE[0] + GAP)) + 1
    with av.open(str(film)) as container:
        if not container.streams.audio:
            return np.zeros(columns)
        heard = np.concatenate([frame.to_ndarray().mean(axis=0) for frame in container.decode(audio=0)])
    edges = np.linspace(0, len(heard), columns + 1).astype(int)[:-1]
    energy = np.add.reduceat(heard.astype(np.float64) ** 2, edges) / np.diff([*edges, len(heard)])
    # As ears do: the square root of the amplitude lets a murmur show beside a punch.
    level = energy**0.25
    return np.asarray(level / level.max())


def _wave(
    pen: ImageDraw.ImageDraw, level: NDArray[np.float64], row: int, middle: int, width: int, seconds: float
) -> None:
    pitch = TILE[0] + GAP
    # The first tile is of EVERY_SECONDS, and the sound below it begins there.
    left = min(width, round((seconds / EVERY_SECONDS - 1) * pitch) - row * COLUMNS * pitch)
    pen.rectangle((0, middle - SOUND // 2, left - 1, middle + SOUND // 2), fill=GROOVE)
    for column in range(left):
        loud = level[min((row * COLUMNS + 1) * pitch + column, len(level) - 1)] * (SOUND / 2 - 1)
        pen.line((column, middle - loud, column, middle + loud), fill=WAVE)

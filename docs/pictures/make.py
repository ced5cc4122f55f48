"""Makes the pictures of this folder from the title fight: `python docs/pictures/make.py`, from anywhere.

The strip is of the finished film: give its path where it is not the last one that was rendered at full size.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import film_strip
import numpy as np
from PIL import Image, ImageDraw

from undercard import settings
from undercard.domain.requests import Size
from undercard.film.sheet.text import font
from undercard.previz import maps
from undercard.previz.frame import Frame
from undercard.previz.render import draw
from undercard.shotlist import direction
from undercard.shotlist.load import load_shot_list

HERE = Path(__file__).parent
FILM = HERE.parents[1] / "data" / "shots" / "title_fight.yaml"
RENDERED = Path("films") / "title-fight-1024x576-previz" / "film.mp4"
HERO = ("knockdown", 18)
"""Shot and frame: he falls, and both are seen from head to toe."""
MAPPED = ("exchange", 56)
"""Limbs apart and both bodies whole, so that every map has something to show."""
LIMIT_BYTES = 250_000
GAP = 8
BACKGROUND = "#0d1117"


def main(arguments: Sequence[str]) -> None:
    """Write hero.jpg, maps.jpg and strip.jpg beside this file; of a film that is named, the strip alone."""
    if not arguments:
        (HERE / "hero.jpg").write_bytes(_jpeg(Image.fromarray(_frame(*HERO, (1280, 720)).image)))
        (HERE / "maps.jpg").write_bytes(_jpeg(_strip(_frame(*MAPPED, (640, 360)))))
    film = Path(arguments[0]) if arguments else settings.load().store_root / RENDERED
    if not film.is_file():
        sys.exit(f"{film} does not exist; `undercard render {FILM}`, or give the path of the film")
    (HERE / "strip.jpg").write_bytes(_jpeg(film_strip.drawn(film)))


def _frame(shot_id: str, frame: int, size: Size) -> Frame:
    film = load_shot_list(FILM)
    shot = next(shot for shot in film.shots if shot.id == shot_id)
    return draw(direction.staging_at(film, shot, frame), size, film.seed)


def _strip(frame: Frame) -> Image.Image:
    """Return the picture and its maps side by side, each with its name below."""
    cells = {
        "picture": Image.fromarray(frame.image),
        "depth": _grey(maps.depth_image(frame)),
        "normals": maps.normals_image(frame),
        "skeleton": maps.skeleton_image(frame),
    }
    height, width = frame.depth.shape
    label = font(26)
    strip = Image.new("RGB", (len(cells) * (width + GAP) - GAP, height + 44), BACKGROUND)
    pen = ImageDraw.Draw(strip)
    for index, (name, picture) in enumerate(cells.items()):
        left = index * (width + GAP)
        strip.paste(picture, (left, 0))
        pen.text((left + width / 2, height + 22), name, fill="#c9d1d9", font=label, anchor="mm")
    return strip


def _grey(depth: Image.Image) -> Image.Image:
    """Return a 16-bit depth map in 8 bits, stretched over the range that it uses, which is what eyes need."""
    values = np.asarray(depth, np.float64)
    return Image.fromarray((values / values.max() * 255.0).astype(np.uint8))


def _jpeg(image: Image.Image) -> bytes:
    """Return *image* as a JPEG of the best quality that stays under the limit."""
    data = b""
    for quality in range(92, 50, -4):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
        data = buffer.getvalue()
        if len(data) <= LIMIT_BYTES:
            break
    return data


if __name__ == "__main__":
    main(sys.argv[1:])

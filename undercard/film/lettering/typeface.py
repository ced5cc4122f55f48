"""Typefaces: lines of any script in the fonts that are shipped, each run in the first font that has its characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal, TypeAlias

from PIL import Image, ImageDraw, ImageFont

from undercard.errors import BadInput

Style: TypeAlias = Literal["display", "text"]
Fonts: TypeAlias = tuple[Path, ...]
"""Font files of the user's own, in the order in which they are asked for a character that the shipped ones lack."""

EMOJI = "NotoEmoji-SemiBold.ttf"
"""Its space is as wide as its pictures."""
FALLBACKS = (
    "NotoSans-SemiBold.ttf",  # Latin, Greek, Cyrillic, Devanagari
    "NotoSansArabic-SemiBold.ttf",
    "NotoSansHebrew-SemiBold.ttf",
    "NotoSansThai-SemiBold.ttf",
    "NotoSansArmenian-SemiBold.ttf",
    "NotoSansGeorgian-SemiBold.ttf",
    "NotoSansBengali-SemiBold.ttf",
    "NotoSansTamil-SemiBold.ttf",
    "NotoSansKhmer-SemiBold.ttf",
    "DroidSansFallback.ttf",  # Chinese, Japanese
    "NotoSansSymbols-SemiBold.ttf",
    EMOJI,
    "NanumGothic-Bold.ttf",  # Korean, and shapes such as stars
)
SHIPPED: dict[Style, tuple[str, ...]] = {"display": ("Oswald-SemiBold.ttf", *FALLBACKS), "text": FALLBACKS}
PROBE_PX = 24
"""Size at which a font is tried."""
ELLIPSIS = "…"
HYPHEN, NO_BREAK_HYPHEN = "\u2010", "\u2011"
SMALLEST_PX = 6
"""Nothing that is set smaller can be read."""
SKIN_TONES = range(0x1F3FB, 0x1F400)
"""Characters that colour the emoji before them."""


@dataclass(frozen=True, slots=True)
class _Run:
    text: str
    font: Path


@dataclass(frozen=True, slots=True)
class Lettering:
    """One line, shaped and measured."""

    runs: tuple[_Run, ...]
    """From left to right."""
    size: int
    """Height of the type, px."""

    @property
    def width(self) -> float:
        """How wide it runs, px."""
        return sum(_font(run.font, self.size).getlength(run.text) for run in self.runs)

    def draw(self, mask: Image.Image, left: float, baseline: float) -> None:
        """Draw it in white into *mask*, a grey picture."""
        draw = ImageDraw.Draw(mask)
        for run in self.runs:
            font = _font(run.font, self.size)
            draw.text((left, baseline), run.text, fill=255, font=font, anchor="ls")
            left += font.getlength(run.text)


def lettering(text: str, size: int, style: Style, fonts: Fonts = ()) -> Lettering:
    """Shape *text* in type of *size* px.

    Within a run harfbuzz shapes and fribidi orders the characters; the runs follow each other in the direction of
    the line's first letter.
    """
    runs = list(_runs(text, style, fonts))
    return Lettering(tuple(reversed(runs) if _is_right_to_left(text) else runs), size)


def fitted(text: str, size: int, width: float, style: Style, fonts: Fonts = ()) -> Lettering:
    """Shape *text* in type of *size* px, or in smaller type where it would be wider than *width* px."""
    line = lettering(text, size, style, fonts)
    while line.width > width and line.size > SMALLEST_PX:
        smaller = min(line.size - 1, int(line.size * width / line.width))
        line = lettering(text, max(SMALLEST_PX, smaller), style, fonts)
    return line


def wrapped(text: str, size: int, width: float, lines: int, fonts: Fonts = ()) -> list[Lettering]:
    """Break *text* into at most *lines* lines of *width* px, between words or, in a word too long, within it.

    Where it is too long for them the type is made smaller.
    """
    smallest = min(size, SMALLEST_PX)
    for smaller in range(size, smallest - 1, -1):
        found = _broken(text, smaller, width, fonts)
        if len(found) <= lines:
            return [lettering(line, smaller, "text", fonts) for line in found]
    kept = [*found[: lines - 1], found[lines - 1] + ELLIPSIS]
    return [lettering(line, smallest, "text", fonts) for line in kept]


def lacking(text: str, style: Style, fonts: Fonts = ()) -> str:
    """Return the characters of *text* that no font has, each once."""
    chain = _chain(style, fonts)
    lost = (c for c in text if not _is_invisible(c) and not any(_has(font, c) for font in chain))
    return "".join(dict.fromkeys(lost))


def check_font(path: Path) -> None:
    """Check that *path* is a font.

    Raises:
        BadInput: FreeType cannot read it, or it has no list of its characters.
    """
    try:
        _font(path, PROBE_PX)
    except OSError as exc:
        raise BadInput(f"{path.name} is no font that can be read: {exc}; give a TrueType or OpenType file") from exc
    if not _characters(path):
        raise BadInput(f"{path.name} has no list of its characters; give a TrueType or OpenType file")


def _broken(text: str, size: int, width: float, fonts: Fonts) -> list[str]:
    def fits(line: str) -> bool:
        return lettering(line, size, "text", fonts).width <= width

    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if fits(joined):
            lines[-1] = joined
            continue
        lines += [""] if lines[-1] else []
        # Scripts without spaces break anywhere.
        for cluster in _clusters(word):
            if lines[-1] and not fits(lines[-1] + cluster):
                lines.append("")
            lines[-1] += cluster
    return lines


def _runs(text: str, style: Style, fonts: Fonts) -> Iterator[_Run]:
    chain = _chain(style, fonts)
    run, font = "", chain[0]
    for cluster in _clusters(text):
        has = [face for face in chain if all(_is_invisible(c) or _has(face, c) for c in cluster)]
        # Spaces and stops belong to the words around them, so that bidi and shaping see whole phrases.
        stays = font in has and run and not cluster[0].isalpha() and not (cluster == " " and font.name == EMOJI)
        chosen = font if stays else next(iter(has), chain[0])
        if chosen != font and run:
            yield from _parted(_Run(run, font))
            run = ""
        run, font = run + cluster, chosen
    if run:
        yield _Run(run, font)


def _parted(run: _Run) -> Iterator[_Run]:
    """Part a run from the spaces that end it: in a run that goes the other way they would lie on its far side."""
    words = run.text.rstrip(" ")
    if words:
        yield _Run(words, run.font)
    if words != run.text:
        yield _Run(run.text[len(words) :], run.font)


def _clusters(text: str) -> Iterator[str]:
    """Yield each character with the marks and joiners that belong to it."""
    cluster = ""
    for character in text:
        joined = unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf") or cluster.endswith("\u200d")
        joined = joined or ord(character) in SKIN_TONES
        if cluster and not joined:
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def _is_right_to_left(text: str) -> bool:
    strong = (unicodedata.bidirectional(character) for character in text)
    return next((kind in ("R", "AL") for kind in strong if kind in ("L", "R", "AL")), False)


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in ("Cf", "Zs", "Cc") or unicodedata.category(character) == "Mn"


def _chain(style: Style, fonts: Fonts) -> Fonts:
    return (*_shipped(style), *fonts)


@lru_cache(maxsize=2)
def _shipped(style: Style) -> Fonts:
    found = []
    for name in SHIPPED[style]:
        with as_file(files("undercard") / "assets" / "fonts" / name) as path:
            found.append(path)
    return tuple(found)


@lru_cache(maxsize=256)
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


def _has(font: Path, character: str) -> bool:
    """Say whether *font* maps *character*, or what harfbuzz draws in its place: a letter with its marks, a hyphen."""
    mapped = _characters(font)
    parts = HYPHEN if character == NO_BREAK_HYPHEN else unicodedata.normalize("NFD", character)
    return ord(character) in mapped or (parts != character and all(ord(part) in mapped for part in parts))


@lru_cache(maxsize=64)
def _characters(font: Path) -> frozenset[int]:
    """Return the code points that *font* maps to glyphs; none where it is in a format that only FreeType reads."""
    # A film without lettering need not wait for it.
    from fontTools.ttLib import TTFont, TTLibError

    try:
        # Of a collection, Pillow draws with the first font, too.
        with font.open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as face:
            return frozenset(face.getBestCmap() or ())
    except (TTLibError, KeyError, ImportError):
        # An older format, no such table, or a compressed font (WOFF2) without the package that decompresses it.
        return frozenset()

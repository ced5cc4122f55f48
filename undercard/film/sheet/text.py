"""Lettering on pictures, in the font that ships with Pillow."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TypeAlias

from PIL import ImageFont

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

STAND_INS = {
    "→": ">", "←": "<", "×": "x", "–": "-", "—": "-", "−": "-", "‑": "-", "•": "·", "≤": "<=", "≥": ">=",
    "ß": "ss", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "đ": "d",
    "ð": "d", "þ": "th", "ı": "i", "⁄": "/", "‹": "'", "›": "'", "«": '"', "»": '"',
}  # fmt: skip
"""For characters that Pillow's font (Aileron, little more than ASCII) lacks and Unicode does not take apart."""


@cache
def font(size: int) -> Font:
    """Return Pillow's own font at *size* px."""
    return ImageFont.load_default(size)


def drawable(text: str) -> str:
    """Return *text* on one line and in characters that the font has.

    Accents fall away, a few signs have stand-ins, what is left becomes a question mark.
    """
    return "".join(_drawable(character) for character in " ".join(text.split()))


@cache
def _drawable(character: str) -> str:
    if character.isascii():
        return character if character.isprintable() else "?"
    if not character.isprintable():
        return "?"
    if _glyph(character) != _glyph("\uffff"):
        return character
    parts = (c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    plain = "".join(STAND_INS.get(part, part if part.isascii() else "?") for part in parts)
    return plain or "?"


def _glyph(character: str) -> bytes:
    """Return the picture of *character*; U+FFFF is no character, and its picture is that of one that is lacking."""
    try:
        return bytes(font(20).getmask(character))
    except UnicodeError:
        # Pillow without FreeType has a bitmap font of Latin-1 alone.
        return _glyph("?")


def shortened(text: str, face: Font, width: float) -> str:
    """Return drawable *text*, cut to *width* px with an ellipsis where it does not fit."""
    if face.getlength(text) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if face.getlength(text[:middle].rstrip() + "…") <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…" if low else ""


def wrapped(text: str, face: Font, width: float, lines: int) -> list[str]:
    """Return drawable *text* broken between words into at most *lines* lines of *width* px, the last one cut."""
    done: list[str] = []
    words = text.split()
    while words and len(done) < lines - 1:
        count = 1
        while count < len(words) and face.getlength(" ".join(words[: count + 1])) <= width:
            count += 1
        done.append(shortened(" ".join(words[:count]), face, width))
        del words[:count]
    if words:
        done.append(shortened(" ".join(words), face, width))
    return done

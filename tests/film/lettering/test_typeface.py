"""Which font a character is set in: the first that maps it, or that maps what it is composed of."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.basePen import BasePen
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from PIL import ImageFont

from undercard.errors import BadInput
from undercard.film.lettering.typeface import check_font, lacking, lettering

HA = "uni1200"
"""A letter that no shipped font has, in the fonts that are built here: a box."""
WOFF2 = (
    "d09GMgABAAAAAAEMAAoAAAAAAmgAAADDAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAABmAANAowQAE2AiQDCAsGAAQgBTwHLhu/AUgeh+l2"
    "YlaZ4AUO8fz/35v73PdSy/JZntKpgfdv4W4RD8JQiCvFwlMfS0mDA+0Gx2lksUeQ8T6QTTz6ADBswEHQMm9vo+Uj76Z04Sxc2Fi3jiMT"
    "hYZNTbCpG6HrwrrJpCf8RQAU6CjMYh7QQaT3LE0tZmVq2dZ4i2E8AEH4fM39yun/bGu/8OOZL9RQYzQFQhtNogaoQQAAlS1qQFC6gAIA"
    "QHciIIKAEtGkz4lSi9J+fenaZYOUr9bM2+vD/sHeHgAAAA=="
)
"""Such a font, compressed with Brotli."""


@pytest.fixture
def face() -> TTFont:
    """Build a TrueType font that has one letter."""
    pen = TTGlyphPen(None)
    draw_box(pen)
    return built(FontBuilder(1000), lambda builder: builder.setupGlyf({".notdef": pen.glyph(), HA: pen.glyph()}))


def outlines() -> bytes:
    """Return the CFF outlines of such a font, without a font around them."""
    pen = T2CharStringPen(600, None)
    draw_box(pen)
    drawn = pen.getCharString()
    font = built(
        FontBuilder(1000, isTTF=False), lambda builder: builder.setupCFF("T", {}, {".notdef": drawn, HA: drawn}, {})
    )
    table: bytes = font["CFF "].compile(font)
    return table


def draw_box(pen: BasePen) -> None:
    """Draw a square of 600 units."""
    pen.moveTo((0, 0))
    for corner in ((600, 0), (600, 600), (0, 600)):
        pen.lineTo(corner)
    pen.closePath()


def built(builder: FontBuilder, draw: Callable[[FontBuilder], None]) -> TTFont:
    """Put what a font needs around the glyphs that *draw* sets up."""
    builder.setupGlyphOrder([".notdef", HA])
    builder.setupCharacterMap({0x1200: HA})
    draw(builder)
    builder.setupHorizontalMetrics({".notdef": (600, 0), HA: (600, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "T", "styleName": "R"})
    builder.setupPost()
    return builder.font


@pytest.mark.parametrize(
    ("text", "fonts"),
    [
        ("Round 1", ["Oswald-SemiBold.ttf"]),
        # Oswald has no ǐ, but i and the caron that is set above it.
        ("\u01d0", ["Oswald-SemiBold.ttf"]),
        # Nor has it a hyphen that does not break, for which harfbuzz draws the other one.
        ("knock\u2011out", ["Oswald-SemiBold.ttf"]),
        ("Ω", ["NotoSans-SemiBold.ttf"]),
        ("ক", ["NotoSansBengali-SemiBold.ttf"]),
        # A font draws a mark that it lacks on a dotted circle, which is no way to have it.
        ("\u0982", ["NotoSansBengali-SemiBold.ttf"]),
        ("拳", ["DroidSansFallback.ttf"]),
        ("안", ["NanumGothic-Bold.ttf"]),
        # Droid Sans has 가, and would set the consonant below it beside it.
        ("강", ["NanumGothic-Bold.ttf"]),
        # Sara am belongs to the letter before it.
        ("น้ำใจ", ["NotoSansThai-SemiBold.ttf"]),
        ("1\ufe0f\u20e3", ["NotoSansSymbols-SemiBold.ttf"]),
        ("🥊", ["NotoEmoji-SemiBold.ttf"]),
    ],
)
def test_a_line_is_set_in_the_first_font_that_has_its_characters(text: str, fonts: list[str]) -> None:
    assert [run.font.name for run in lettering(text, 24, "display").runs] == fonts


def test_every_character_of_the_first_planes_is_asked_for_without_an_error() -> None:
    characters = [chr(code) for code in [*range(0x20, 0x3400), *range(0xF900, 0x10000)]]
    assigned = "".join(c for c in characters if unicodedata.category(c) not in {"Cn", "Co", "Cs"})

    lost = lacking(assigned, "text")

    assert "ሀ" in lost
    assert not set("AΩЖאبก") & set(lost)


def test_a_font_of_the_users_own_is_set_where_no_other_has_the_character(face: TTFont, tmp_path: Path) -> None:
    face.save(tmp_path / "own.ttf")

    check_font(tmp_path / "own.ttf")

    assert lettering("ሀ", 24, "text", (tmp_path / "own.ttf",)).runs[0].font == tmp_path / "own.ttf"


def test_a_font_without_a_table_of_its_characters_is_refused(face: TTFont, tmp_path: Path) -> None:
    del face["cmap"]
    face.save(tmp_path / "own.ttf")

    with pytest.raises(BadInput, match=r"own\.ttf has no list of its characters; give a TrueType or OpenType file"):
        check_font(tmp_path / "own.ttf")


def test_a_font_that_only_freetype_reads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.cff").write_bytes(outlines())
    ImageFont.truetype(tmp_path / "own.cff", 24)

    with pytest.raises(BadInput, match=r"own\.cff has no list of its characters"):
        check_font(tmp_path / "own.cff")


def test_a_compressed_font_is_refused_where_nothing_decompresses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fontTools.ttLib.woff2.haveBrotli", False)
    (tmp_path / "own.woff2").write_bytes(base64.b64decode(WOFF2))
    ImageFont.truetype(tmp_path / "own.woff2", 24)

    with pytest.raises(BadInput, match=r"own\.woff2 has no list of its characters"):
        check_font(tmp_path / "own.woff2")

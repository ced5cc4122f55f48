"""Which font a character is set in: the first that maps it, or that maps what it is composed of."""

from __future__ import annotations

import unicodedata

import pytest

from undercard.film.lettering.typeface import lacking, lettering


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

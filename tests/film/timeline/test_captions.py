from __future__ import annotations

from fractions import Fraction

import pytest

from undercard.film.timeline.captions import Caption, captions, srt, vtt
from undercard.film.timeline.timeline import Clip, Timeline, Transition

NTSC = Fraction(24000, 1001)


def test_a_caption_shows_from_its_shots_first_frame_to_the_first_of_the_next() -> None:
    clips = (
        Clip("a", 48, "hold", caption="One."),
        Clip("b", 48, "hold", Transition("crossfade", 12)),
        Clip("c", 24, "hold", caption="Three."),
    )

    found = captions(Timeline(Fraction(24), (64, 48), clips))

    assert found == (Caption("One.", 0, 36), Caption("Three.", 84, 108))


def test_a_subrip_file_has_a_number_a_time_and_a_text_a_cue() -> None:
    written = srt([Caption("Ding.", 0, 36), Caption("Дзинь — 鐘", 36, 24 * 3700)], Fraction(24))

    assert written == ("1\n00:00:00,000 --> 00:00:01,500\nDing.\n\n2\n00:00:01,500 --> 01:01:40,000\nДзинь — 鐘\n")


def test_a_web_file_escapes_what_would_be_markup() -> None:
    assert vtt([Caption("<b> & --> you", 12, 24)], Fraction(24)) == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.000\n&lt;b&gt; &amp; --&gt; you\n"
    )


def seconds(stamp: str) -> float:
    hours, minutes, rest = stamp.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def test_no_frame_falls_on_the_wrong_side_of_a_caption_at_a_rate_that_is_no_whole_number() -> None:
    (line,) = [line for line in srt([Caption("x", 1001, 2002)], NTSC).splitlines() if "-->" in line]

    assert [seconds(stamp) for stamp in line.split(" --> ")] == pytest.approx(
        [float(1001 / NTSC), float(2002 / NTSC)], abs=0.0005
    )


def test_a_film_without_captions_has_an_empty_file() -> None:
    assert (srt([], Fraction(24)), vtt([], Fraction(24))) == ("", "WEBVTT\n")

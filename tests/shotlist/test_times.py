from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercard.domain import timecode
from undercard.domain.timecode import BadTime


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (24, Fraction(24)),
        ("24", Fraction(24)),
        ("24000/1001", Fraction(24000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (12.5, Fraction(25, 2)),
        (24.0, Fraction(24)),
        (1, Fraction(1)),
        (240, Fraction(240)),
    ],
)
def test_a_frame_rate_is_the_exact_fraction_it_means(written: object, meant: Fraction) -> None:
    assert timecode.frame_rate(written) == meant


@pytest.mark.parametrize("written", [0, 10_000, 240.5, -24, True, None, "24/0", "fast", "1e3", "0.5", (24,), "٢٤"])
def test_an_impossible_frame_rate_is_refused_with_its_value(written: object) -> None:
    with pytest.raises(BadTime, match="write a number from 1 to 240"):
        timecode.frame_rate(written)


@pytest.mark.parametrize(
    ("written", "frames"), [(36, 36), ("36", 36), ("2.5s", 60), ("0s", 0), ("1 s", 24), ("0.02s", 0), ("0.0625s", 2)]
)
def test_a_time_is_frames_or_seconds_to_the_nearest_frame(written: object, frames: int) -> None:
    assert timecode.frame_count(written, Fraction(24)) == frames


def test_seconds_count_exactly_at_a_rate_that_is_no_whole_number() -> None:
    assert timecode.frame_count("1001s", Fraction(24000, 1001)) == 24000


@pytest.mark.parametrize("written", ["1:30", -1, 2.5, True, None, "", "2,5s", "1m", "-1s", "9" * 30, (1,)])
def test_what_is_no_time_is_refused(written: object) -> None:
    with pytest.raises(BadTime, match="is no time"):
        timecode.frame_count(written, Fraction(24))


@given(st.integers(0, 100_000), st.sampled_from([Fraction(24), Fraction(25), Fraction(24000, 1001)]))
def test_a_timecode_counts_every_frame_once(frame: int, rate: Fraction) -> None:
    clock, rest = timecode.timecode(frame, rate).split("+")
    minutes, seconds = (int(part) for part in clock.split(":"))
    first = -(-(minutes * 60 + seconds) * rate // 1)

    assert first + int(rest) == frame


@pytest.mark.parametrize("written", ["1024x576", "1024 × 576", (1024, 576)])
def test_a_size_is_width_by_height(written: object) -> None:
    assert timecode.frame_size(written) == (1024, 576)


@pytest.mark.parametrize(
    "written", ["0x0", "1023x576", "62x64", "4098x64", "1024", (1024,), (1024.0, 576.0), (True, True), None, 5]
)
def test_a_size_that_no_film_has_is_refused(written: object) -> None:
    with pytest.raises(BadTime, match="write even numbers from 64 to 4096"):
        timecode.frame_size(written)

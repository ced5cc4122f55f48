"""Rates and times of files that say nothing of them, as old and new PyAV give them."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import pytest

from undercard.film.base import ticks


class Rational:
    """PyAV 19's: no Fraction, and false where a file does not say."""

    def __init__(self, numerator: int, denominator: int) -> None:
        self.numerator, self.denominator = numerator, denominator

    def __bool__(self) -> bool:
        return self.numerator != 0 and self.denominator != 0


def of_pyav_19(numerator: int, denominator: int) -> Fraction:
    return cast("Fraction", Rational(numerator, denominator))


@pytest.mark.parametrize("found", [Fraction(24000, 1001), of_pyav_19(24000, 1001)])
def test_a_rate_is_a_fraction_whatever_pyav_gives(found: Fraction) -> None:
    rate = ticks.rate(found)

    assert (type(rate), rate) == (Fraction, Fraction(24000, 1001))


@pytest.mark.parametrize("found", [None, of_pyav_19(0, 1), of_pyav_19(0, 0), of_pyav_19(1, 0)])
def test_what_a_file_does_not_say_is_no_rate_and_no_time(found: Fraction | None) -> None:
    assert ticks.rate(found) == 0
    assert ticks.seconds(0, found) is None


@pytest.mark.parametrize("base", [Fraction(1, 24), of_pyav_19(1, 24)])
def test_ticks_are_seconds_of_their_time_base(base: Fraction) -> None:
    assert ticks.seconds(0, base) == 0
    assert ticks.seconds(36, base) == Fraction(3, 2)
    assert ticks.seconds(None, base) is None

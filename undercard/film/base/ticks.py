"""Rates and times as PyAV gives them: what a file does not say is None, and from PyAV 19 on a zero of its own type."""

from __future__ import annotations

from fractions import Fraction


def rate(found: Fraction | None) -> Fraction:
    """Return a rate or a time base as a fraction; 0 where the file does not say."""
    return Fraction(found.numerator, found.denominator) if found else Fraction(0)


def seconds(ticks: int | None, time_base: Fraction | None) -> Fraction | None:
    """Return *ticks* of *time_base* in seconds; None where the file does not say."""
    return ticks * rate(time_base) if ticks is not None and time_base else None

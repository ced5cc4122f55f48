"""Film time and frame size as a shot list writes them: `24000/1001`, `36`, `"2.5s"`, `"1024x576"`."""

from __future__ import annotations

import re
from fractions import Fraction

from undercard.errors import BadInput

_RATIONAL = re.compile(r"([0-9]{1,9})(?:/([0-9]{1,9})|\.([0-9]{1,6}))?")
_SECONDS = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,9})?) ?s")
_FRAMES = re.compile(r"[0-9]{1,9}")
_SIZE = re.compile(r"([0-9]{1,6}) ?[x×] ?([0-9]{1,6})")

MAX_FPS = 240
"""Beyond it players and encoders disagree."""
MIN_EDGE, MAX_EDGE = 64, 4096
"""Pixels; 4096 is the longest edge that H.264 level 5.1 holds."""


class BadTime(ValueError):
    """A time, rate or size that cannot be used: `what` is wrong, `remedy` mends it."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what}; {remedy}")


def frame_rate(value: object) -> Fraction:
    """Return frames per second from 24, 23.976, "24000/1001".

    23.976, 29.97, 47.952, 59.94 and 119.88 mean the rate of 1000/1001 that they abbreviate.

    Raises:
        BadTime: it is no rate, or not within 1…240.
    """
    match = _RATIONAL.fullmatch(str(value)) if _is_number(value) or isinstance(value, str) else None
    remedy = f"write a number from 1 to {MAX_FPS}, such as 24 or 24000/1001"
    if match is None or (match[2] is not None and int(match[2]) == 0):
        raise BadTime(f"{value!r} is no frame rate", remedy)
    rate = Fraction(match[0])
    nearest = Fraction(round(rate) * 1000, 1001)
    # An abbreviation is off by less than half of its third decimal; only a decimal can be one.
    if match[3] is not None and abs(rate - nearest) < Fraction(1, 500):
        rate = nearest
    if not 1 <= rate <= MAX_FPS:
        raise BadTime(f"{value} frames per second", remedy)
    return rate


def frame_count(value: object, rate: Fraction) -> int:
    """Return a time in frames from 36 (frames) or "2.5s" (seconds, to the nearest frame; halves go up).

    Raises:
        BadTime: it is no time.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        if seconds := _SECONDS.fullmatch(value):
            return int(Fraction(seconds[1]) * rate + Fraction(1, 2))
        if _FRAMES.fullmatch(value):
            return int(value)
    raise BadTime(f"{value!r} is no time", 'write whole frames such as 36, or seconds such as "1.5s"')


def frame_size(value: object) -> tuple[int, int]:
    """Return (width, height) in pixels from "1024x576" or (1024, 576).

    Raises:
        BadTime: it is no size, an edge is odd (the film's 4:2:0 colour halves both), or out of 64…4096.
    """
    remedy = f'write even numbers from {MIN_EDGE} to {MAX_EDGE}, such as "1024x576"'
    parts: tuple[object, ...] = ()
    if isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        parts = (int(match[1]), int(match[2]))
    elif isinstance(value, tuple | list):
        parts = tuple(value)
    match parts:
        case (int(width), int(height)) if not any(isinstance(part, bool) for part in parts):
            if not all(MIN_EDGE <= edge <= MAX_EDGE and edge % 2 == 0 for edge in (width, height)):
                raise BadTime(f"a frame of {width}×{height} pixels", remedy)
            return width, height
    raise BadTime(f"{value!r} is no frame size", remedy)


def parse_size(text: str) -> tuple[int, int]:
    """Return (width, height) in pixels from a size such as `1024x576`.

    Raises:
        BadInput: it is no size, or one that cannot be filmed.
    """
    try:
        return frame_size(text)
    except BadTime as exc:
        raise BadInput(f"size: {exc}") from exc


def timecode(frame: int, rate: Fraction) -> str:
    """Return *frame* as minutes, seconds and frames: `01:02+07`."""
    seconds = int(frame / rate)
    first = -int(-seconds * rate // 1)
    return f"{seconds // 60:02}:{seconds % 60:02}+{frame - first:02}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

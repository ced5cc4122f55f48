"""Timing: which moment of a shot's action each of its frames shows, through slow motion, ramps and freezes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from undercard.errors import BadInput

Moment: TypeAlias = int | Fraction
"""A time in the shot's action, in frames from its start at full speed; an int where it is a whole one."""
SLOWEST, FASTEST = Fraction(1, 20), Fraction(8)
"""Slower is a freeze, and faster a cut."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast the action goes at a moment of it."""

    at: int
    """Frame of the action."""
    factor: Fraction
    """1 is as written, 1/2 is half speed."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """A moment of the action that stands still."""

    at: int
    """Frame of the action."""
    frames: int
    """How many frames of the film longer it shows."""


@dataclass(frozen=True, slots=True)
class _Leg:
    """A stretch over which the speed changes evenly: film time *begins*…*begins + lasts*."""

    begins: Fraction
    lasts: Fraction
    action: Fraction
    speed: Fraction
    speed_after: Fraction

    def moment(self, frame: Fraction) -> Fraction:
        """Return the action at film time *frame*: s = vt + at²/2."""
        t = frame - self.begins
        return self.action + self.speed * t + (self.speed_after - self.speed) * t * t / (2 * self.lasts)


@dataclass(frozen=True, slots=True)
class Timing:
    """How the action of a shot runs.

    Between two speeds the one becomes the other evenly; before the first and after the last it keeps that.

    Raises:
        BadInput: speeds or freezes out of order or out of range.
    """

    start: int = 0
    """The frame of the action on which the shot opens."""
    speeds: tuple[Speed, ...] = ()
    freezes: tuple[Freeze, ...] = ()

    def __post_init__(self) -> None:
        for what, moments in (("speeds", self.speeds), ("freezes", self.freezes)):
            falls = [each.at for each in moments]
            if falls != sorted(set(falls)) or (falls and falls[0] < self.start):
                raise BadInput(f"{what} fall on frames {falls}; they must rise from {self.start}")
        for speed in self.speeds:
            if not SLOWEST <= speed.factor <= FASTEST:
                raise BadInput(f"speed {float(speed.factor):g} is not between {float(SLOWEST)} and {FASTEST}")
        for freeze in self.freezes:
            if freeze.frames < 1:
                raise BadInput(f"a freeze of {freeze.frames} frames; use at least 1")

    @property
    def real(self) -> bool:
        """Every frame shows its own moment."""
        return self == REAL_TIME

    def moment(self, frame: int) -> Moment:
        """Return the moment of the action that frame *frame* of the shot shows; it never runs back.

        A freeze begins on the first frame that has come to its moment, and takes the frames after it along.
        """
        if not self.speeds and not self.freezes:
            return self.start + frame
        for freeze in self.freezes:
            begins = self._first_at(freeze.at, before=frame + 1)
            if begins is None:
                break
            if frame < begins + freeze.frames:
                return freeze.at
            frame -= freeze.frames
        moment = self._running(Fraction(frame))
        return int(moment) if moment.denominator == 1 else moment

    def frame_at(self, action: int, within: int) -> int | None:
        """Return the first frame of the shot that shows *action* or later; None if none of its *within* frames does."""
        for frame in range(within):
            if self.moment(frame) >= action:
                return frame if self.moment(0) <= action else None
        return None

    def _first_at(self, action: int, before: int) -> int | None:
        """Return the first frame, freezes apart, that shows *action* or later; None if it is not below *before*."""
        low, high = 0, before
        while low < high:
            middle = (low + high) // 2
            if self._running(Fraction(middle)) >= action:
                high = middle
            else:
                low = middle + 1
        return low if low < before else None

    def _running(self, frame: Fraction) -> Fraction:
        if not self.speeds:
            return self.start + frame
        at, factor = Fraction(self.start), self.speeds[0].factor
        begins = Fraction(0)
        for leg in self._legs():
            if frame < leg.begins + leg.lasts:
                return leg.moment(frame)
            begins, at, factor = leg.begins + leg.lasts, leg.moment(leg.begins + leg.lasts), leg.speed_after
        return at + factor * (frame - begins)

    def _legs(self) -> Iterator[_Leg]:
        begins, action, speed = Fraction(0), Fraction(self.start), self.speeds[0].factor
        for after in self.speeds:
            way = after.at - action
            if way:
                lasts = 2 * way / (speed + after.factor)
                yield _Leg(begins, lasts, action, speed, after.factor)
                begins += lasts
            action, speed = Fraction(after.at), after.factor


REAL_TIME = Timing()


def written_timing(speeds: Sequence[Speed], freezes: Sequence[Freeze]) -> Timing:
    """Return the timing of a shot whose keyframes name *speeds* and *freezes*; it opens at full speed unless told.

    Raises:
        BadInput: they are out of order or out of range.
    """
    opens = (Speed(0, Fraction(1)),) if speeds and speeds[0].at else ()
    return Timing(0, (*opens, *speeds), tuple(freezes))

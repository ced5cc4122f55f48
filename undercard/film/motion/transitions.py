"""Transitions: how one shot becomes the next. To add one, write a function and its row in `TRANSITIONS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TypeAlias

from undercard.errors import BadInput
from undercard.film.base.pixels import BLACK, WHITE, Direction, Pixels, filled, mix, panned, wiped

Splice: TypeAlias = Callable[[Iterable[Pixels], Iterable[Pixels], int, int], Iterator[Pixels]]
"""(outgoing frames, incoming frames, how many outgoing, how many incoming) → the frames of the transition."""
EXPOSURE_FALLS = 2
"""The power by which a flash dies away: half of its time takes three quarters of its light."""


@dataclass(frozen=True, slots=True)
class TransitionKind:
    """A row of the table."""

    about: str
    """One line for people who write shot lists."""
    splice: Splice
    overlaps: bool = False
    """Both shots show at once, so that a transition of n frames shortens the film by n."""
    instant: bool = False
    """Takes no frames."""
    outgoing_share: Fraction = Fraction(1, 2)
    """How much of a transition that does not overlap is the outgoing shot's."""

    def takes(self, frames: int) -> tuple[int, int]:
        """Return how many frames of the outgoing and of the incoming shot a transition of *frames* uses."""
        if self.instant:
            return 0, 0
        if self.overlaps:
            return frames, frames
        outgoing = int(frames * self.outgoing_share)
        return outgoing, frames - outgoing


def cut(
    outgoing: Iterable[Pixels], incoming: Iterable[Pixels], outgoing_count: int, incoming_count: int
) -> Iterator[Pixels]:
    """Show the one, then the other."""
    yield from outgoing
    yield from incoming


def overlapped(
    outgoing: Iterable[Pixels],
    incoming: Iterable[Pixels],
    outgoing_count: int,
    incoming_count: int,
    *,
    blend: Callable[[Pixels, Pixels, float, float], Pixels],
) -> Iterator[Pixels]:
    """Blend both; frame i of n is (i + 1) / (n + 1) of the way, so that no frame repeats either side unmixed.

    *blend* takes the outgoing frame, the incoming one, the share of the way and the share that one frame takes.
    """
    step = 1 / (incoming_count + 1)
    for index, (leaving, coming) in enumerate(zip(outgoing, incoming, strict=True)):
        yield blend(leaving, coming, (index + 1) * step, step)


def dip(
    outgoing: Iterable[Pixels],
    incoming: Iterable[Pixels],
    outgoing_count: int,
    incoming_count: int,
    *,
    colour: int = BLACK,
    power: int = 1,
) -> Iterator[Pixels]:
    """Fade the outgoing shot to a grey, *colour*, and the incoming one from the single frame of it that it starts on.

    The higher the *power*, the steeper the grey comes and goes; 1 is evenly.
    """
    for index, frame in enumerate(outgoing):
        yield mix(frame, filled(frame, colour), ((index + 1) / (outgoing_count + 1)) ** power)
    for index, frame in enumerate(incoming):
        yield mix(frame, filled(frame, colour), (1 - index / incoming_count) ** power)


def _mixed(leaving: Pixels, coming: Pixels, t: float, step: float) -> Pixels:
    return mix(leaving, coming, t)


def _wiped(leaving: Pixels, coming: Pixels, t: float, step: float, *, toward: Direction) -> Pixels:
    return wiped(leaving, coming, t, toward)


def _whipped(leaving: Pixels, coming: Pixels, t: float, step: float, *, toward: Direction) -> Pixels:
    # The shutter is open for the whole frame: a whip pan is all blur.
    return panned(leaving, coming, _whip(t - step / 2), _whip(t + step / 2), toward)


def _whip(t: float) -> float:
    """Smoothstep: the camera tears away from rest and comes to rest again."""
    return t * t * (3.0 - 2.0 * t)


def _overlap(about: str, blend: Callable[[Pixels, Pixels, float, float], Pixels]) -> TransitionKind:
    return TransitionKind(about, partial(overlapped, blend=blend), overlaps=True)


TRANSITIONS: dict[str, TransitionKind] = {
    "cut": TransitionKind("the next shot starts at once; takes no frames", cut, instant=True),
    "crossfade": _overlap("both shots mix; their frames overlap, which shortens the film", _mixed),
    "dip": TransitionKind("half of it fades to black, half comes up from black; overlaps nothing", dip),
    "dip_white": TransitionKind(
        "half of it fades to white, half comes down from white; overlaps nothing", partial(dip, colour=WHITE)
    ),
    "flash": TransitionKind(
        "a photographer's flash: a quarter of it bursts into white, the rest dies away; overlaps nothing",
        partial(dip, colour=WHITE, power=EXPOSURE_FALLS),
        outgoing_share=Fraction(1, 4),
    ),
    "wipe_left": _overlap(
        "a soft edge moves left and uncovers the next shot; overlaps", partial(_wiped, toward="left")
    ),
    "wipe_right": _overlap(
        "a soft edge moves right and uncovers the next shot; overlaps", partial(_wiped, toward="right")
    ),
    "wipe_up": _overlap("a soft edge moves up and uncovers the next shot; overlaps", partial(_wiped, toward="up")),
    "wipe_down": _overlap(
        "a soft edge moves down and uncovers the next shot; overlaps", partial(_wiped, toward="down")
    ),
    "whip_left": _overlap("the camera whips round to the left, into the next shot", partial(_whipped, toward="left")),
    "whip_right": _overlap(
        "the camera whips round to the right, into the next shot", partial(_whipped, toward="right")
    ),
}


def transition_kind(name: str) -> TransitionKind:
    """Return the transition called *name*.

    Raises:
        BadInput: there is no such transition.
    """
    if name not in TRANSITIONS:
        raise BadInput(f"transition {name!r} does not exist; use one of {', '.join(TRANSITIONS)}")
    return TRANSITIONS[name]

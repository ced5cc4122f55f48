"""Transitions: how one shot becomes the next. To add one, write a function and its row in `TRANSITIONS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from undercard.errors import BadInput
from undercard.film.pixels import Pixels, mix

Splice: TypeAlias = Callable[[Iterable[Pixels], Iterable[Pixels], int, int], Iterator[Pixels]]
"""(outgoing frames, incoming frames, how many outgoing, how many incoming) → the frames of the transition."""


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

    def takes(self, frames: int) -> tuple[int, int]:
        """Return how many frames of the outgoing and of the incoming shot a transition of *frames* uses."""
        if self.instant:
            return 0, 0
        return (frames, frames) if self.overlaps else (frames // 2, frames - frames // 2)


def cut(
    outgoing: Iterable[Pixels], incoming: Iterable[Pixels], outgoing_count: int, incoming_count: int
) -> Iterator[Pixels]:
    """Show the one, then the other."""
    yield from outgoing
    yield from incoming


def crossfade(
    outgoing: Iterable[Pixels], incoming: Iterable[Pixels], outgoing_count: int, incoming_count: int
) -> Iterator[Pixels]:
    """Mix both; frame i of n is (i + 1) / (n + 1) of the way, so that no frame repeats either side unmixed."""
    pairs = zip(outgoing, incoming, strict=True)
    for index, (leaving, coming) in enumerate(pairs):
        yield mix(leaving, coming, (index + 1) / (incoming_count + 1))


def dip(
    outgoing: Iterable[Pixels], incoming: Iterable[Pixels], outgoing_count: int, incoming_count: int
) -> Iterator[Pixels]:
    """Fade the outgoing shot down and the incoming one up from the single black frame that it starts on."""
    for index, frame in enumerate(outgoing):
        yield mix(frame, np.zeros_like(frame), (index + 1) / (outgoing_count + 1))
    for index, frame in enumerate(incoming):
        yield mix(np.zeros_like(frame), frame, index / incoming_count)


TRANSITIONS: dict[str, TransitionKind] = {
    "cut": TransitionKind("the next shot starts at once; takes no frames", cut, instant=True),
    "crossfade": TransitionKind(
        "both shots mix; their frames overlap, which shortens the film", crossfade, overlaps=True
    ),
    "dip": TransitionKind("half of it fades to black, half comes up from black; overlaps nothing", dip),
}


def transition_kind(name: str) -> TransitionKind:
    """Return the transition called *name*.

    Raises:
        BadInput: there is no such transition.
    """
    if name not in TRANSITIONS:
        raise BadInput(f"transition {name!r} does not exist; use one of {', '.join(TRANSITIONS)}")
    return TRANSITIONS[name]

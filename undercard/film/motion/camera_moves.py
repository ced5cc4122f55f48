"""Camera moves over stills: push-in, pull-out and pans, which need no other pictures than the keyframes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from undercard.film.base.pixels import Pixels
from undercard.film.base.stills import Place, fitted, opener
from undercard.film.motion.footage import Footage

PUSH = 0.12
"""How much a push-in enlarges the picture by its end. Enough to be felt over 3 s, and a still of the film's own size
stays sharp."""


def hold(footage: Footage) -> Iterator[Pixels]:
    """Show each still, unmoving, until the next one falls."""
    return _zoom(footage, lambda _: 1.0)


def push_in(footage: Footage) -> Iterator[Pixels]:
    """Enlarge the picture slowly over the whole shot; the stills change underneath."""
    return _zoom(footage, lambda t: 1.0 + PUSH * ease(t))


def pull_out(footage: Footage) -> Iterator[Pixels]:
    """Start close and widen slowly to the whole picture."""
    return _zoom(footage, lambda t: 1.0 + PUSH * (1.0 - ease(t)))


def pan_left(footage: Footage) -> Iterator[Pixels]:
    """Turn slowly from the right of the picture to its left."""
    return _pan(footage, lambda t: (1.0 - t, 0.5))


def pan_right(footage: Footage) -> Iterator[Pixels]:
    """Turn slowly from the left of the picture to its right."""
    return _pan(footage, lambda t: (t, 0.5))


def pan_up(footage: Footage) -> Iterator[Pixels]:
    """Rise slowly from the bottom of the picture to its top."""
    return _pan(footage, lambda t: (0.5, 1.0 - t))


def pan_down(footage: Footage) -> Iterator[Pixels]:
    """Sink slowly from the top of the picture to its bottom."""
    return _pan(footage, lambda t: (0.5, t))


def ease(t: float) -> float:
    """Return Perlin's smootherstep of *t* in 0…1: speed and acceleration are 0 at both ends.

    Source: Ken Perlin, "Improving Noise", SIGGRAPH 2002: 6t⁵ - 15t⁴ + 10t³.
    """
    return t * t * t * (t * (t * 6.0 - 15.0) + 10.0)


def _zoom(footage: Footage, magnification: Callable[[float], float]) -> Iterator[Pixels]:
    """Yield the stills seen through a centred window that is 1 / *magnification*(time in 0…1) of the picture."""
    return _windowed(footage, lambda t: (magnification(t), (0.5, 0.5)))


def _pan(footage: Footage, place: Callable[[float], Place]) -> Iterator[Pixels]:
    """Yield the stills seen through a window that moves to *place*(eased time in 0…1)."""
    return _windowed(footage, lambda t: (1.0 + PUSH, place(ease(t))))


def _windowed(footage: Footage, window: Callable[[float], tuple[float, Place]]) -> Iterator[Pixels]:
    picture = opener()
    shown: tuple[int, tuple[float, Place]] | None = None
    pixels = np.empty(0, np.uint8)
    for frame in range(footage.start, footage.stop):
        look = (footage.index_at(footage.timing.moment(frame)), window(footage.share(frame)))
        if look != shown:
            pixels = fitted(picture(footage.stills[look[0]].path), footage.size, *look[1])
            shown = look
        yield pixels

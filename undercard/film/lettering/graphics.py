"""Graphics: titles, lower thirds, clocks, scores and captions over a shot. To add one, write a function and its row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from undercard.domain.requests import Size
from undercard.errors import BadInput
from undercard.film.base.pixels import Pixels
from undercard.film.base.timing import Moment
from undercard.film.lettering import graphic_design
from undercard.film.lettering.layer import Layer, Overlay
from undercard.film.lettering.typeface import Fonts


@dataclass(frozen=True, slots=True)
class Graphic:
    """What is laid over frames [start, stop) of a shot."""

    kind: str
    """A name in `GRAPHICS`."""
    lines: tuple[str, ...]
    """What it says; what each line is, its kind knows."""
    start: int
    stop: int
    colours: tuple[str, ...] = ()
    """`#rrggbb`, as its kind uses them."""
    seconds_left: int | None = None
    """What a clock shows as the shot's action begins; None for anything that does not run."""


SOFT = 0.15
"""Width of the edge behind which a graphic is uncovered, as a share of the graphic's."""
Entrance: TypeAlias = Callable[[Overlay, Pixels, float], Pixels]
"""(overlay, frame, how far it has come in, 0…1) → the frame with the overlay over it."""


@dataclass(frozen=True, slots=True)
class GraphicKind:
    """A row of the table."""

    about: str
    """One line for people who write shot lists."""
    draw: Callable[[Size, tuple[str, ...], tuple[str, ...], Fonts], Layer]
    """(size of the film, lines, colours, fonts) → the whole graphic."""
    entrance: Entrance | None = None
    """How it comes and goes; None for one that is there from its first frame to its last."""
    entrance_share: Fraction = Fraction(1, 3)
    """How long that takes, in seconds."""


def _fading(overlay: Overlay, frame: Pixels, come: float) -> Pixels:
    return overlay.over(frame, come)


def _unrolling(overlay: Overlay, frame: Pixels, come: float) -> Pixels:
    """Uncover it from the left behind a soft edge."""
    left, right = overlay.columns
    along = (np.arange(right - left, dtype=np.float32) + 0.5) / max(1, right - left)
    return overlay.over(frame, shown=np.clip((np.float32(come * (1 + SOFT)) - along) / np.float32(SOFT), 0, 1))


GRAPHICS: dict[str, GraphicKind] = {
    "title": GraphicKind(
        "a title card over the whole picture, with a line under it", graphic_design.title, _fading, Fraction(1, 2)
    ),
    "lower_third": GraphicKind(
        "a fighter's name on a bar in his corner's colour, with a note", graphic_design.lower_third, _unrolling
    ),
    "clock": GraphicKind("the round and the time left in it, running down", graphic_design.clock),
    "score": GraphicKind("the judges' points of each fighter", graphic_design.score),
    "caption": GraphicKind("a burned-in subtitle", graphic_design.caption),
}


def graphic_kind(name: str) -> GraphicKind:
    """Return the graphic called *name*.

    Raises:
        BadInput: there is no such graphic.
    """
    if name not in GRAPHICS:
        raise BadInput(f"graphic {name!r} does not exist; use one of {', '.join(GRAPHICS)}")
    return GRAPHICS[name]


def overlaid(
    pixels: Pixels, graphics: tuple[Graphic, ...], frame: int, elapsed: Moment, fps: Fraction, fonts: Fonts = ()
) -> Pixels:
    """Return *pixels* with *graphics* over them; *pixels* themselves where none shows.

    Args:
        pixels: a frame of a shot.
        graphics: the shot's, in the order in which they lie on each other.
        frame: which of the shot's frames it is.
        elapsed: how far the shot's action has come since it began, in frames; clocks run by it.
        fps: frames a second.
        fonts: files of the user's own, for characters that the shipped ones lack.
    """
    for each in _shown(graphics, frame, elapsed, fps):
        size = pixels.shape[1], pixels.shape[0]
        overlay = _overlay(each.graphic.kind, size, each.lines, each.graphic.colours, fonts)
        entrance = graphic_kind(each.graphic.kind).entrance
        pixels = entrance(overlay, pixels, each.come) if entrance else overlay.over(pixels)
    return pixels


class Overlays:
    """Lays graphics over the frames of a film; over a picture that stands, only when they change."""

    def __init__(self, fps: Fraction, fonts: Fonts = ()) -> None:
        self._fps, self._fonts = fps, fonts
        self._before: tuple[Pixels, tuple[_Shown, ...], Pixels] | None = None

    def over(self, pixels: Pixels, graphics: tuple[Graphic, ...], frame: int, elapsed: Moment) -> Pixels:
        """Return what `overlaid` does: the very array that it was before, where neither picture nor graphics differ."""
        shown = _shown(graphics, frame, elapsed, self._fps)
        if self._before is None or self._before[0] is not pixels or self._before[1] != shown:
            laid = overlaid(pixels, graphics, frame, elapsed, self._fps, self._fonts)
            self._before = pixels, shown, laid
        return self._before[2]


def shown_in(graphics: tuple[Graphic, ...], start: int, stop: int) -> tuple[Graphic, ...]:
    """Return those of *graphics* that show on any of the frames [*start*, *stop*)."""
    return tuple(graphic for graphic in graphics if graphic.start < stop and start < graphic.stop)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A graphic as it is on a frame."""

    graphic: Graphic
    lines: tuple[str, ...]
    come: float
    """How far it has come in, 0…1."""


def _shown(graphics: tuple[Graphic, ...], frame: int, elapsed: Moment, fps: Fraction) -> tuple[_Shown, ...]:
    return tuple(
        _Shown(graphic, _lines_at(graphic, elapsed, fps), _come(graphic, frame, fps))
        for graphic in graphics
        if graphic.start <= frame < graphic.stop
    )


def _come(graphic: Graphic, frame: int, fps: Fraction) -> float:
    """Return how far a graphic has come in, or has not yet gone: smoothstep, and never quite 0."""
    kind = graphic_kind(graphic.kind)
    if kind.entrance is None:
        return 1.0
    takes = max(1, min(round(kind.entrance_share * fps), (graphic.stop - graphic.start) // 2))
    t = min(1.0, (frame - graphic.start + 1) / (takes + 1), (graphic.stop - frame) / (takes + 1))
    return t * t * (3.0 - 2.0 * t)


def _lines_at(graphic: Graphic, elapsed: Moment, fps: Fraction) -> tuple[str, ...]:
    if graphic.seconds_left is None:
        return graphic.lines
    left = max(0, graphic.seconds_left - int(elapsed / fps))
    return (*graphic.lines, f"{left // 60}:{left % 60:02d}")


# Two cores at a transition between two shots that each have a clock, a score and a caption.
@lru_cache(maxsize=12)
def _overlay(kind: str, size: Size, lines: tuple[str, ...], colours: tuple[str, ...], fonts: Fonts) -> Overlay:
    return graphic_kind(kind).draw(size, lines, colours, fonts).cut_out()

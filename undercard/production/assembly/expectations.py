"""What a piece of the film may and must show: black, a flash or a still picture may be there on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from undercard.domain.takes import Take
from undercard.film.checking.watch import Expected, Watch, is_black
from undercard.film.timeline.timeline import Piece, Span
from undercard.planning.plan import Plan
from undercard.store import Store

SMOOTH = frozenset({"crossfade", "dip", "dip_white"})
"""Transitions through which the light changes evenly from their first frame to their last."""
BLACK = frozenset({"dip"})
FLASHING = frozenset({"dip", "dip_white", "flash", "whip_left", "whip_right"})
DARK_LIGHTS = frozenset({"night"})
STEPPING = frozenset({"pose", "crossfade", "flow", "clip"})
"""Motions that pass from still to still; where two differ, every frame between them should."""
TRAVELLING = frozenset({"push_in", "pull_out", "pan_left", "pan_right", "pan_up", "pan_down"})
RESTS = 0.2
"""Share at either end of a travelling camera's way on which its easing hardly moves it."""


def expected(plan: Plan, piece: Piece, takes: Mapping[str, tuple[Take, ...]]) -> Expected:
    """Return what *piece* may and must show."""
    lights = {plan.shot(span.clip.shot).light for span in piece.spans}
    dark = bool(lights & DARK_LIGHTS)
    if piece.transition is not None:
        kind = piece.transition.kind
        return Expected(black=dark or kind in BLACK, flashes=kind in FLASHING)
    (span,) = piece.spans
    return Expected(moves=_moves(plan, span, takes[span.clip.shot]), black=dark)


def shows_black_stills(piece: Piece, takes: Mapping[str, tuple[Take, ...]], store: Store) -> bool:
    """Say whether a still that *piece* shows is black itself: the gate rejected it, and it waits for review."""
    pictures = dict.fromkeys(take.picture for span in piece.spans for take in takes[span.clip.shot])
    return any(_is_black(store.path_of(picture)) for picture in pictures)


def _is_black(path: Path) -> bool:
    with Image.open(path) as picture:
        watch = Watch(picture.size)
        list(watch.over([np.asarray(picture.convert("RGB"))]))
    return is_black(watch.looks[0])


def _moves(plan: Plan, span: Span, takes: tuple[Take, ...]) -> tuple[tuple[int, int], ...]:
    if span.clip.motion in TRAVELLING:
        first, last = round(span.clip.frames * RESTS), round(span.clip.frames * (1 - RESTS))
        start, stop = max(first, span.start), min(last, span.stop)
        return ((start - span.start, stop - span.start),) if start < stop else ()
    if span.clip.motion not in STEPPING:
        return ()
    shot = plan.shot(plan.shot(span.clip.shot).source)
    stretches = [
        (before.at, after.at)
        for (before, here), (after, there) in pairwise(list(zip(shot.keyframes, takes, strict=True)))
        if here.picture.sha256 != there.picture.sha256
    ]
    return _runs(span, stretches)


def _runs(span: Span, stretches: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return where the frames of *span* run through *stretches* of the action, without a stop."""
    runs: list[tuple[int, int]] = []
    moments = [span.clip.timing.moment(frame) for frame in range(span.start, span.stop)]
    for index in range(1, len(moments)):
        before, moment = moments[index - 1], moments[index]
        if before == moment or not any(start <= before < stop for start, stop in stretches):
            continue
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index - 1, index + 1))
    return tuple(runs)

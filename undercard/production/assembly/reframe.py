"""Where a window that is narrower than the film should stand, so that the fighters are in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undercard.planning.plan import Plan
from undercard.previz.sight import sighted
from undercard.shotlist import direction
from undercard.shotlist.models import Shot

STEADY_SECONDS = 0.5
"""Within it the window evens out what the fighters do: a camera operator does not follow a jab."""
EVERY = 2
"""Frames between two looks: poses are drawn on twos."""


def centres(plan: Plan, width: float) -> tuple[float, ...]:
    """Return, for each frame of the film, where the middle of the window should be: 0…1 of the film's width.

    It stands on the middle of those one would know, and of anybody where there is none. Two who are farther apart than
    the window is wide would leave it on the ropes between them: it takes the camera's subject, else the first of the
    cast, through the whole shot. A cut moves it at once, and a crossfade passes from the one shot's place to the
    other's.

    Args:
        plan: of the film.
        width: of the window, as a share of the film's.
    """
    ways = {shot.id: _way(plan, shot, width) for shot in plan.shots}
    found: list[NDArray[np.float64]] = []
    for piece in plan.timeline.pieces():
        parts = [ways[span.clip.shot][span.start : span.stop] for span in piece.spans]
        if piece.transition is not None and len(parts) == 2 and piece.frame_count == len(parts[0]) == len(parts[1]):
            share = (np.arange(piece.frame_count) + 1.0) / (piece.frame_count + 1)
            parts = [parts[0] + (parts[1] - parts[0]) * share * share * (3.0 - 2.0 * share)]
        found += parts
    return tuple(float(each) for each in np.concatenate(found))


def _way(plan: Plan, shot: Shot, width: float) -> NDArray[np.float64]:
    """Return the place of the window's middle on every frame of *shot*, evened out."""
    filmed = plan.shot(shot.source)
    looks = np.array(sorted({*range(0, shot.frames, EVERY), shot.frames - 1}))
    seen = [_seen(plan, filmed, shot, int(frame)) for frame in looks]
    apart = sorted(max(each.values()) - min(each.values()) for each in seen if each)
    if apart and apart[len(apart) // 2] > width:
        lead = filmed.camera.subject or next(name for name in plan.shot_list.cast if any(name in each for each in seen))
        seen = [{lead: each[lead]} if lead in each else each for each in seen]
    middles = [sum(each.values()) / len(each) if each else None for each in seen]
    last = next((each for each in middles if each is not None), 0.5)
    places: list[float] = []
    for each in middles:
        # Where nobody is in the picture, the window stays where somebody was.
        last = last if each is None else each
        places.append(last)
    way = np.interp(np.arange(shot.frames), looks, np.array(places))
    return _steady(way, STEADY_SECONDS * float(plan.shot_list.fps))


def _seen(plan: Plan, filmed: Shot, shot: Shot, frame: int) -> dict[str, float]:
    """Return how far across the picture each is whom one would know; anybody, where there is none."""
    moment = min(shot.timing.moment(frame), filmed.frames - 1)
    found = sighted(direction.staging_at(plan.shot_list, filmed, moment), plan.size)
    chosen = [each for each in found if each.recognisable] or list(found)
    return {each.name: each.across for each in chosen}


def _steady(way: NDArray[np.float64], frames: float) -> NDArray[np.float64]:
    """Return *way* under a bell curve of that standard deviation, its ends held still."""
    reach = int(3 * frames)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / frames) ** 2)
    held = np.concatenate([np.full(reach, way[0]), way, np.full(reach, way[-1])])
    return np.convolve(held, bell / bell.sum(), "valid")

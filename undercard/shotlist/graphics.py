"""From the shot list to what is lettered on a shot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from undercard.domain.staging import Corner
from undercard.film.lettering.graphics import Graphic
from undercard.shotlist.models import Shot, ShotList

CORNERS: Mapping[Corner, str] = {"red": "#c8141c", "blue": "#2a53d6"}
"""The colours that television gives the corners, whatever the fighters wear."""


def graphics(shot_list: ShotList, shot: Shot, overlap: int = 0) -> tuple[Graphic, ...]:
    """Return what lies over the frames of *shot*, from the lowest up.

    Args:
        shot_list: the film.
        shot: of it.
        overlap: how many of its last frames show together with the next shot. Its caption, which has the same place
            as the next one's, is gone by then, as it is in the files beside the film.
    """
    return tuple(_graphics(shot_list, shot, overlap))


def _graphics(shot_list: ShotList, shot: Shot, overlap: int) -> Iterator[Graphic]:
    cast = shot_list.cast
    if shot.score:
        lines = tuple(line for each in shot.score for line in (cast[each.fighter].name, str(each.points)))
        yield Graphic("score", lines, 0, shot.frames, tuple(CORNERS[cast[each.fighter].corner] for each in shot.score))
    if shot.clock is not None:
        lines = (f"{shot.clock.label} {shot.clock.round}",)
        if shot.clock.runs:
            yield Graphic("clock", lines, 0, shot.frames, seconds_left=shot.clock.seconds_left)
        else:
            yield Graphic("clock", (*lines, shot.clock.left), 0, shot.frames)
    if shot.lower_third is not None:
        member = cast[shot.lower_third.fighter]
        lines = (member.name, shot.lower_third.note)
        yield Graphic("lower_third", lines, *shot.lower_third.span(shot.frames), (CORNERS[member.corner],))
    if shot.title is not None:
        yield Graphic("title", (shot.title.text, shot.title.under), *shot.title.span(shot.frames))
    if shot.caption and shot_list.captions != "beside":
        yield Graphic("caption", (shot.caption,), 0, shot.frames - overlap)

"""What the keyframes of a film ask of a model: how many pictures each is drawn from, and of whom."""

from __future__ import annotations

from collections.abc import Sequence

from undercard.backends import Work
from undercard.domain.requests import Size
from undercard.domain.staging import Staging
from undercard.previz.sight import sighted
from undercard.shotlist import direction
from undercard.shotlist.likeness import LIKENESSES, Likeness, kept, likeness
from undercard.shotlist.models import Shot, ShotList


def likenesses(shot_list: ShotList, staging: Staging, size: Size) -> tuple[Likeness, ...]:
    """Return whom a model is to know in *staging* at *size*, in the order of their pictures after the first."""
    return tuple(likeness(seen.name, shot_list.cast[seen.name]) for seen in kept(shot_list, sighted(staging, size)))


def costliest(shot_list: ShotList, shots: Sequence[Shot], size: Size) -> Work:
    """Return what the costliest keyframe of *shots* asks: its control image, and whom the camera sees."""
    references, most = 1, at_most(shot_list, size).references
    for staging in (staging for shot in shots for _, staging in direction.stagings(shot_list, shot)):
        references = max(references, 1 + len(kept(shot_list, sighted(staging, size))))
        # Nearly every film shows both fighters early; the rest of it need not be staged.
        if references == most:
            break
    return Work(size, references)


def at_most(shot_list: ShotList, size: Size) -> Work:
    """Return what no keyframe of *shot_list* asks more than, without staging any: everybody in a shot is seen."""
    fighters = (len({name for keyframe in shot.keyframes for name in keyframe.poses}) for shot in shot_list.shots)
    return Work(size, references=1 + min(max(fighters), LIKENESSES))

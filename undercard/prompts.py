"""What an image model is told of a keyframe: the shot list's template, filled in from cast, pose, camera and light."""

from __future__ import annotations

from undercard import direction, wording
from undercard.likeness import kept
from undercard.previz.sight import Sighting, sighted
from undercard.requests import Size
from undercard.shot_models import Keyframe, Shot, ShotList


def prompt(shot_list: ShotList, shot: Shot, keyframe: Keyframe, size: Size | None = None) -> str:
    """Return the prompt of *keyframe* at *size* (width, height) px, the shot list's own by default.

    It speaks of whom the camera sees and of the pictures that a model is given, in their order.
    """
    index = shot.keyframes.index(keyframe)
    moved = [entry.camera for entry in shot.keyframes[: index + 1] if entry.camera is not None]
    seen = sighted(direction.stagings(shot_list, shot)[index][1], size or shot_list.size)
    parts = {
        "title": shot_list.title,
        "style": shot_list.prompt,
        "control": wording.control(control_of(shot, keyframe)),
        "likeness": _likenesses(shot_list, seen),
        "fighters": _fighters(shot_list, shot, index, seen),
        "camera": wording.camera(moved[-1] if moved else shot.camera),
        "light": wording.light(shot.light),
        "prompt": keyframe.prompt if keyframe.prompt is not None else shot.prompt,
    }
    return " ".join(shot_list.prompt_template.format(**parts).split())


def control_of(shot: Shot, keyframe: Keyframe) -> str:
    """Return the kind of control image that *keyframe* is drawn from."""
    return keyframe.control or shot.control


def _likenesses(shot_list: ShotList, seen: tuple[Sighting, ...]) -> str:
    """Say who is in the pictures after the first."""
    shown = kept(shot_list, seen)
    sentences = []
    for number, sighting in enumerate(shown, start=2):
        member = shot_list.cast[sighting.name]
        others = [other.across for other in shown if other is not sighting]
        side = wording.side_of(sighting.across, others)
        sentences.append(wording.likeness(number, member, direction.look(member), side))
    return " ".join(sentences)


def _fighters(shot_list: ShotList, shot: Shot, index: int, seen: tuple[Sighting, ...]) -> str:
    cues, names = direction.cues(shot)[index], {sighting.name for sighting in seen}
    told = (
        wording.fighter(member, direction.look(member), cues[name].pose or "guard")
        for name, member in ((name, shot_list.cast[name]) for name in cues if name in names)
    )
    return " ".join(told)

"""What an image model is told of a keyframe: the shot list's template, filled in from cast, pose, camera and light."""

from __future__ import annotations

from undercard.domain.requests import Size
from undercard.gate.repairs import Treatment
from undercard.previz.sight import Sighting, sighted
from undercard.shotlist import direction, wording
from undercard.shotlist.likeness import LIKENESSES, kept
from undercard.shotlist.models import Shot, ShotList
from undercard.shotlist.staged import Keyframe


def prompt(
    shot_list: ShotList, shot: Shot, keyframe: Keyframe, size: Size | None = None, treated: Treatment | None = None
) -> str:
    """Return the prompt of *keyframe* at *size* (width, height) px, the shot list's own by default.

    It speaks of whom the camera sees and of the pictures that a model is given, in their order. Where it is *treated*,
    it says what that comes to.
    """
    index = shot.keyframes.index(keyframe)
    moved = [entry.camera for entry in shot.keyframes[: index + 1] if entry.camera is not None]
    seen = sighted(direction.stagings(shot_list, shot)[index][1], size or shot_list.size)
    treated = treated or Treatment(control_of(shot, keyframe))
    shown = kept(shot_list, seen)[: likenesses_with(treated)]
    number = 1 + len(shown) if treated.anchored else 1
    control = wording.control(treated.control, number)
    if treated.neighbour:
        control = f"{control} {wording.neighbour(number + 1)}"
    parts = {
        "title": shot_list.title,
        "style": shot_list.prompt,
        "control": control,
        "likeness": _likenesses(shot_list, shown, first=1 if treated.anchored else 2 + treated.neighbour),
        "fighters": _fighters(shot_list, shot, index, seen),
        "camera": wording.camera(moved[-1] if moved else shot.camera),
        "light": wording.light(shot.light),
        "prompt": keyframe.prompt if keyframe.prompt is not None else shot.prompt,
    }
    names = [shot_list.cast[sighting.name].name for sighting in seen]
    words = [
        *shot_list.prompt_template.format(**parts).split(),
        *wording.insistence(treated.insisted, names, number).split(),
    ]
    return " ".join(words)


def between(shot_list: ShotList, shot: Shot, index: int, size: Size) -> str:
    """Return what a video model is told of the way from keyframe *index* of *shot*, from 0, to the next.

    It is given both pictures, so that it is told what happens, and not what anybody looks like.
    """
    stagings, cues = direction.stagings(shot_list, shot), direction.cues(shot)
    seen = {sighting.name for number in (index, index + 1) for sighting in sighted(stagings[number][1], size)}
    told = [
        wording.movement(shot_list.cast[name], cues[index][name].pose or "guard", cues[index + 1][name].pose or "guard")
        for name in cues[index]
        if name in seen
    ]
    own = shot.clip.prompt if shot.clip is not None else ""
    # The keyframe that it moves into may say what is special about this moment.
    spoken = shot.keyframes[index + 1].prompt
    parts = [shot_list.prompt, *told, wording.light(shot.light), shot.prompt if spoken is None else spoken, own]
    return " ".join(" ".join(parts).split())


def likenesses_with(treated: Treatment) -> int:
    """Return how many pictures of fighters a model is given beside the others."""
    return LIKENESSES - treated.neighbour


def counts_its_pictures(shot_list: ShotList) -> bool:
    """Say whether the prompts of *shot_list* number a model's pictures, so that their order may change."""
    return "{control}" in shot_list.prompt_template and "{likeness}" in shot_list.prompt_template


def control_of(shot: Shot, keyframe: Keyframe) -> str:
    """Return the kind of control image that *keyframe* is drawn from."""
    return keyframe.control or shot.control


def _likenesses(shot_list: ShotList, shown: tuple[Sighting, ...], first: int) -> str:
    """Say who is in the pictures from number *first* on."""
    sentences = []
    for number, sighting in enumerate(shown, start=first):
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

"""The rules across a shot list's fields: ids, times, transitions, who fights in which shot.

They read the data as written, not the models, so that a mistake in one field does not hide those of others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields as dataclass_fields
from fractions import Fraction

from pydantic import ValidationError

from undercard.domain.problems import Location
from undercard.domain.staging import Pose
from undercard.errors import Problem
from undercard.film.motion.transitions import TRANSITIONS, TransitionKind
from undercard.previz import poses
from undercard.shotlist import rules_clips, rules_sound
from undercard.shotlist.fields import nearest
from undercard.shotlist.models import TransitionEntry
from undercard.shotlist.problems import problem
from undercard.shotlist.rules_time import entries, frames, replays, times
from undercard.shotlist.rules_titles import titles
from undercard.shotlist.yaml_source import Source, Value

MAX_SHOTS = 2000
MAX_SECONDS = 2 * 60 * 60
MAX_TURN = 180
"""Degrees that a pose's turn can be tuned by."""
MAX_OFFSET = 1.5
"""Metres that a pose's joint can be tuned by: about an arm and a half."""
POSE_FIELDS = tuple(field.name for field in dataclass_fields(Pose))


def across(source: Source, fps: Fraction) -> Iterator[Problem]:
    """Yield what is wrong between the fields of *source*: ids, times, transitions, who fights in which shot."""
    data = source.data if isinstance(source.data, dict) else {}
    shots = entries(data.get("shots"))
    if len(shots) > MAX_SHOTS:
        yield problem(source, ("shots",), f"{len(shots):,} shots", f"keep to {MAX_SHOTS:,} a film")
        return
    cast = _mapping(data.get("cast"))
    yield from _ids(source, shots)
    for index, shot in enumerate(shots):
        yield from times(source, index, shot, fps)
        yield from _fighters(source, index, shot, cast)
        yield from titles(source, index, shot, cast, fps)
        yield from rules_clips.clips(source, index, shot)
        if "number" in shot:
            yield problem(source, ("shots", index, "number"), "shots are numbered by their order", "remove it")
    yield from replays(source, shots, fps)
    yield from _transitions(source, shots, fps)
    yield from rules_sound.across(source, shots, fps)
    seconds = sum(frames(shot.get("length"), fps) or 0 for shot in shots) / fps
    if seconds > MAX_SECONDS:
        yield problem(source, ("shots",), f"a film of {float(seconds / 3600):.1f} hours", "keep it to 2 hours")


def _ids(source: Source, shots: Sequence[dict[str, Value]]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, shot in enumerate(shots):
        name = shot.get("id")
        if not isinstance(name, str):
            continue
        # Files are named after shots, and some file systems take Jab and jab for one name.
        first = seen.setdefault(name.casefold(), index)
        if first != index:
            line = source.line(("shots", first, "id"))
            what = f"shot {name!r} has the id of shot {first + 1} on line {line}"
            yield problem(source, ("shots", index, "id"), what, "give each shot an id of its own")


def _fighters(source: Source, index: int, shot: dict[str, Value], cast: dict[str, Value]) -> Iterator[Problem]:
    entered: list[str] = []
    for number, keyframe in enumerate(entries(shot.get("keyframes"))):
        location = ("shots", index, "keyframes", number, "poses")
        cues = _mapping(keyframe.get("poses"))
        for name, cue in cues.items():
            if name not in cast:
                what = f"fighter {name!r} is not in the cast"
                yield problem(source, (*location, name), what, nearest(name, cast))
            elif entered and name not in entered:
                what = f"fighter {name!r} appears in the middle of the shot"
                yield problem(source, (*location, name), what, "put him in its first keyframe, too")
            yield from _cue(source, (*location, name), cue, cast)
        yield from _camera(source, (*location[:-1], "camera"), keyframe.get("camera"), entered or cues)
        if number == 0:
            entered = list(cues)
            if not cues:
                what = "nobody is in the shot's first keyframe"
                yield problem(source, location, what, "say who is there: poses: {id: guard}")
            yield from _pair(source, location, cues, cast)
    yield from _camera(source, ("shots", index, "camera"), shot.get("camera"), entered)


def _pair(source: Source, location: Location, cues: dict[str, Value], cast: dict[str, Value]) -> Iterator[Problem]:
    corners = [_mapping(cast.get(name)).get("corner") for name in cues]
    if len(cues) > 2:
        yield problem(source, location, f"{len(cues)} fighters in one shot", "show two at most")
    elif len(cues) == 2 and corners[0] == corners[1] and corners[0] in ("red", "blue"):
        what = f"{' and '.join(cues)} both fight from the {corners[0]} corner"
        yield problem(source, location, what, "show one of them, or change a corner in the cast")


def _cue(source: Source, location: Location, cue: Value, cast: dict[str, Value]) -> Iterator[Problem]:
    fields = _mapping(cue)
    facing = fields.get("facing")
    if isinstance(facing, str) and facing not in cast:
        what = f"facing {facing!r}, who is not in the cast"
        yield problem(source, (*location, "facing"), what, f"write degrees, or {nearest(facing, cast)}")
    elif isinstance(facing, str) and facing == location[-1]:
        yield problem(source, (*location, "facing"), "he faces himself", "name his opponent")
    pose = fields.get("pose") if isinstance(cue, dict) else cue
    known = isinstance(pose, str) and pose in poses.names()
    if known and fields.get("aim") in ("head", "body") and poses.strike(str(pose)) is None:
        what = f"pose {pose!r} throws no punch to aim"
        yield problem(source, (*location, "aim"), what, "remove the aim, or choose a punch")
    yield from _tuned(source, location, _mapping(fields.get("tune")))


def _tuned(source: Source, location: Location, tune: dict[str, Value]) -> Iterator[Problem]:
    for name, offset in tune.items():
        if name not in POSE_FIELDS:
            what = f"a pose has no {name!r}"
            yield problem(source, (*location, "tune", name), what, nearest(name, POSE_FIELDS))
        elif isinstance(offset, tuple):
            numbers = [part for part in offset if isinstance(part, int | float)]
            limit = MAX_TURN if name.endswith("_turn") else MAX_OFFSET
            if any(abs(number) > limit for number in numbers):
                what = f"an offset of {list(offset)} to {name}"
                yield problem(source, (*location, "tune", name), what, f"keep within ±{limit}")


def _camera(source: Source, location: Location, camera: Value, present: Collection[str]) -> Iterator[Problem]:
    subject = _mapping(camera).get("subject")
    if isinstance(subject, str) and present and subject not in present:
        what = f"subject {subject!r} is not in the shot"
        yield problem(source, (*location, "subject"), what, nearest(subject, present))


def _transitions(source: Source, shots: Sequence[dict[str, Value]], fps: Fraction) -> Iterator[Problem]:
    taken = 0  # what the shot before gave to the transition that opens it
    for index, shot in enumerate(shots):
        name, duration = _transition(shot)
        kind = TRANSITIONS.get(name)
        length = frames(shot.get("length"), fps)
        location = ("shots", index, "transition")
        before = frames(shots[index - 1].get("length"), fps) if index else None
        if kind is None or length is None or length < 1 or (index and before is None):
            taken = 0  # another problem says what is wrong
            continue
        if kind.instant and duration:
            yield problem(source, location, f"a {name} of {duration} frames", "a cut has none: remove frames")
        if not kind.instant and duration < 1:
            yield problem(source, location, f"a {name} of {duration} frames", "use at least 1, or cut")
        if index == 0 and kind.overlaps:
            what = f"{name} into the first shot has nothing to come from"
            yield problem(source, location, what, "use cut, or dip for a fade from black")
        head = kind.takes(duration)[1]
        room = None if before is None else before - 1 - taken
        longest = _longest(kind, length - 1, room)
        if not kind.instant and duration > longest and not (index == 0 and kind.overlaps):
            what = f"a {name} of {duration} frames exceeds its shots ({_lengths(before, length)})"
            yield problem(source, location, what, f"use at most {longest}" if longest else "use a cut")
        taken = head


def _lengths(before: int | None, length: int) -> str:
    return f"{length} frames" if before is None else f"{before} and {length} frames"


def _longest(kind: TransitionKind, room: int, room_before: int | None) -> int:
    """Return the longest transition whose two sides both keep a frame of their own."""
    most = 2 * room + 1 if room_before is None else 2 * max(room, room_before, 0) + 1
    for count in range(max(most, 0), 0, -1):
        outgoing, incoming = kind.takes(count)
        if incoming <= room and (room_before is None or outgoing <= room_before):
            return count
    return 0


def _transition(shot: dict[str, Value]) -> tuple[str, int]:
    """Return kind and frames as the model will read them."""
    try:
        entry = TransitionEntry.model_validate(shot.get("transition", {}))
    except ValidationError:
        return "", 0
    return entry.kind, entry.length


def _mapping(value: Value) -> dict[str, Value]:
    return value if isinstance(value, dict) else {}

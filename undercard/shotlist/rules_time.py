"""The rules of time in a shot list: keyframes in order and within their shot, replays within what they show again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from undercard.domain import timecode
from undercard.errors import BadInput, Problem
from undercard.film.base.timing import FASTEST, REAL_TIME, SLOWEST, Freeze, Speed, Timing, written_timing
from undercard.shotlist.fields import nearest
from undercard.shotlist.models import exact
from undercard.shotlist.problems import problem
from undercard.shotlist.yaml_source import Source, Value

REPLAYED = ("keyframes", "camera", "light", "prompt", "negative_prompt", "control", "seed")
"""What a replay takes from the shot that it shows again; it may have none of its own."""


def times(source: Source, index: int, shot: dict[str, Value], fps: Fraction) -> Iterator[Problem]:
    """Yield what is wrong with the length of a shot and with when its keyframes fall."""
    length = frames(shot.get("length"), fps)
    if length is not None and length < 1:
        what = f"a length of {shot['length']!r} is no frame at all"
        yield problem(source, ("shots", index, "length"), what, "make it 1 frame at least")
    last = None if length is None or length < 1 else _last_moment(shot, length, fps)
    before: int | None = None
    for number, keyframe in enumerate(entries(shot.get("keyframes"))):
        at = frames(keyframe.get("at"), fps)
        if at is None:
            continue
        location = ("shots", index, "keyframes", number, "at")
        if number == 0 and at != 0:
            yield problem(source, location, f"the first keyframe falls on frame {at}", "put it at 0")
        if before is not None and at <= before:
            what = f"frame {at} does not come after frame {before} of the keyframe before"
            yield problem(source, location, what, "put the keyframes in order, a frame apart at least")
        if last is not None and at > last:
            what = f"frame {at} is beyond the shot, whose last is {last}"
            yield problem(source, location, what, f"use at most {last}, or a longer shot")
        before = at


def replays(source: Source, shots: Sequence[dict[str, Value]], fps: Fraction) -> Iterator[Problem]:
    """Yield what is wrong with the shots that show another one again."""
    filmed = {str(shot.get("id")): shot for shot in shots if "replay" not in shot}
    for index, shot in enumerate(shots):
        if "replay" not in shot:
            continue
        written = shot["replay"]
        replay: dict[str, Value] = written if isinstance(written, dict) else {"of": written}
        location = ("shots", index, "replay")
        for name in (name for name in REPLAYED if name in shot):
            what = f"a replay has the {name} of the shot that it shows again"
            yield problem(source, ("shots", index, name), what, "remove it, or the replay")
        of = replay.get("of")
        if isinstance(of, str) and of in filmed:
            yield from _within(source, index, replay, filmed[of], fps)
        elif isinstance(of, str):
            what = f"a replay of {of!r}, which is no shot with keyframes"
            yield problem(source, location, what, nearest(of, filmed))


def _within(
    source: Source, index: int, replay: dict[str, Value], filmed: dict[str, Value], fps: Fraction
) -> Iterator[Problem]:
    shots = source.data.get("shots") if isinstance(source.data, dict) else None
    shot = entries(shots)[index]
    length, there = frames(shot.get("length"), fps), frames(filmed.get("length"), fps)
    at, speed = frames(replay.get("at", 0), fps), replay.get("speed", 0.5)
    if not length or not there or at is None or not isinstance(speed, int | float) or not SLOWEST <= speed <= FASTEST:
        return
    last = _last_moment(filmed, there, fps)
    if at > last:
        what = f"frame {at} is beyond the shot that it shows again, whose last is {last}"
        yield problem(source, ("shots", index, "replay", "at"), what, f"use at most {last}")
    elif (most := int((last - at) / exact(speed)) + 1) < length:
        what = f"{length} frames from frame {at} at speed {speed:g} go beyond the shot, whose last is {last}"
        yield problem(source, ("shots", index, "length"), what, f"use at most {most}, or begin earlier")


def _last_moment(shot: dict[str, Value], length: int, fps: Fraction) -> int:
    """Return the last whole frame of the action that a shot of *length* frames shows."""
    return int(_timing(entries(shot.get("keyframes")), fps).moment(length - 1))


def _timing(keyframes: Sequence[dict[str, Value]], fps: Fraction) -> Timing:
    """Return the timing as the models will read it; real time where another problem says what is wrong."""
    speeds, freezes = [], []
    for keyframe in keyframes:
        at, speed, freeze = frames(keyframe.get("at"), fps), keyframe.get("speed"), keyframe.get("freeze")
        if at is not None and isinstance(speed, int | float) and abs(speed) < 100:
            speeds.append(Speed(at, exact(speed)))
        if at is not None and isinstance(freeze, int) and freeze > 0:
            freezes.append(Freeze(at, freeze))
    try:
        return written_timing(speeds, freezes)
    except BadInput:
        return REAL_TIME


def frames(value: Value, fps: Fraction) -> int | None:
    """Return a written time in frames, or None where it is none."""
    try:
        return timecode.frame_count(value, fps)
    except timecode.BadTime:
        return None


def entries(value: Value) -> list[dict[str, Value]]:
    """Return the mappings of a list; what is no mapping counts as an empty one, so that indices stay true."""
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, tuple) else []

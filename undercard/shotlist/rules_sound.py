"""The rules of a shot list's sound: cues within their shots, tracks at a place that there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from undercard.errors import Problem
from undercard.shotlist.fields import nearest
from undercard.shotlist.problems import problem
from undercard.shotlist.rules_time import entries, frames
from undercard.shotlist.yaml_source import Source, Value


def across(source: Source, shots: Sequence[dict[str, Value]], fps: Fraction) -> Iterator[Problem]:
    """Yield what is wrong with the cues of *shots* and the tracks of the film."""
    for index, shot in enumerate(shots):
        yield from _cues(source, index, shot, fps)
    sound = source.data.get("sound") if isinstance(source.data, dict) else None
    if not isinstance(sound, dict):
        return
    ids = [name for shot in shots if isinstance(name := shot.get("id"), str)]
    for index, track in enumerate(entries(sound.get("tracks"))):
        shot_id = track.get("shot")
        if isinstance(shot_id, str) and shot_id not in ids:
            yield problem(source, ("sound", "tracks", index, "shot"), f"no shot {shot_id!r}", nearest(shot_id, ids))
        start, stop = frames(track.get("start", 0), fps), frames(track.get("stop"), fps)
        if start is not None and stop is not None and stop <= start:
            what = f"a track that stops at frame {stop} and starts at {start}"
            yield problem(source, ("sound", "tracks", index, "stop"), what, "stop it after its start")


def _cues(source: Source, index: int, shot: dict[str, Value], fps: Fraction) -> Iterator[Problem]:
    length = frames(shot.get("length"), fps)
    for number, cue in enumerate(entries(shot.get("sounds"))):
        at = frames(cue.get("at"), fps)
        if at is not None and length is not None and 1 <= length <= at:
            what = f"frame {at} is beyond the shot, whose last is {length - 1}"
            yield problem(source, ("shots", index, "sounds", number, "at"), what, f"use at most {length - 1}")

"""What may be wrong with the clips that a shot list asks for."""

from __future__ import annotations

from collections.abc import Iterator

from undercard.errors import Problem
from undercard.film.motion.motions import CLIP
from undercard.shotlist.problems import problem
from undercard.shotlist.rules_time import entries
from undercard.shotlist.yaml_source import Source, Value


def clips(source: Source, index: int, shot: dict[str, Value]) -> Iterator[Problem]:
    """Yield what is wrong with the clips of a shot, as written."""
    motion = shot.get("motion")
    if "clip" in shot and motion != CLIP and "replay" not in shot:
        what = f"how its clips are made, and its motion is {motion or 'pose'!r}"
        yield problem(source, ("shots", index, "clip"), what, "write motion: clip, or remove it")
    if motion == CLIP and "replay" not in shot and len(entries(shot.get("keyframes"))) < 2:
        what = "a clip needs a keyframe to begin with and one to end with"
        yield problem(source, ("shots", index, "motion"), what, "add a keyframe, or choose another motion")

"""The shot list: read and validate one, select shots of it, and the JSON schema that editors complete it with."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from pydantic import ValidationError

from undercard.domain import timecode
from undercard.domain.problems import Location
from undercard.errors import BadShotList, UnknownShots
from undercard.shotlist import problems, rules, rules_titles, yaml_source
from undercard.shotlist.fields import Setting, nearest
from undercard.shotlist.models import Shot, ShotList
from undercard.shotlist.rules_time import REPLAYED

INHERITED = ("light", "seed", "negative_prompt", "control")
"""What a shot takes from the film unless it has its own."""


def load_shot_list(path: Path) -> ShotList:
    """Read the shot list at *path*.

    Raises:
        BadInput: there is no such file, or it cannot be read.
        BadShotList: it has mistakes; every one is named, with its line, its value and what to do.
    """
    source = yaml_source.read(path)
    data, added = _complete(source.data)
    fps = _frame_rate(data)
    found = [*source.problems, *rules.across(source, fps)]
    film: ShotList | None = None
    try:
        film = ShotList.model_validate(data, context=Setting(path.parent, fps))
    except ValidationError as exc:
        found += problems.translate(exc, source, added)
    if film is not None and not found:
        found += rules_titles.unlettered(source, film)
    if found or film is None:
        raise BadShotList(source.file, problems.in_order(found))
    return film


def select_shots(shots: Sequence[Shot], selection: str) -> tuple[Shot, ...]:
    """Return the shots that *selection* names, in the film's order.

    Args:
        shots: of a shot list.
        selection: numbers, ranges, ids and patterns, such as `3,7-9,jab,walk*`.

    Raises:
        UnknownShots: a part of it names no shot, or it is empty.
    """
    parts = [part.strip() for part in selection.split(",") if part.strip()]
    if not parts:
        raise UnknownShots("the selection names no shot; write numbers, ranges or ids, such as 3,7-9,jab,walk*")
    chosen = {shot.number for part in parts for shot in _named(shots, part)}
    return tuple(shot for shot in shots if shot.number in chosen)


def shots_from(shots: Sequence[Shot], first: str) -> tuple[Shot, ...]:
    """Return the shots from the one called *first* (its number or its id) to the end.

    Raises:
        UnknownShots: there is no such shot.
    """
    start = _named(shots, first.strip())[0].number
    return tuple(shot for shot in shots if shot.number >= start)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of a shot list, with every pose, camera, light and motion described."""
    schema: dict[str, object] = ShotList.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """Return `json_schema` as data/shots/schema.json holds it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _named(shots: Sequence[Shot], part: str) -> list[Shot]:
    """Return the shots that one part of a selection names, at least one."""
    if span := re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", part):
        first, last = int(span[1]), int(span[2] or span[1])
        if not 1 <= first <= last <= len(shots):
            raise UnknownShots(f"shot {part} does not exist; the film has shots 1-{len(shots)}")
        return [shot for shot in shots if first <= shot.number <= last]
    found = [shot for shot in shots if fnmatch.fnmatchcase(shot.id, part)]
    if not found:
        raise UnknownShots(f"shot {part!r} does not exist; {nearest(part, [shot.id for shot in shots])}")
    return found


def _complete(data: yaml_source.Value) -> tuple[yaml_source.Value, frozenset[Location]]:
    """Give each shot its number and what it takes from the film; return where that was added, too."""
    if not isinstance(data, dict):
        return data, frozenset()
    shots = data.get("shots")
    if not isinstance(shots, tuple):
        return data, frozenset()
    completed: list[yaml_source.Value] = []
    added: set[Location] = set()
    for index, shot in enumerate(shots):
        if not isinstance(shot, dict):
            completed.append(shot)
            continue
        source = _replayed(shot, shots)
        extra = {name: data[name] for name in INHERITED if name in data and name not in source}
        extra |= {name: source[name] for name in (*REPLAYED, "motion", "clip") if name in source and name not in shot}
        added |= {("shots", index, name) for name in extra}
        completed.append({**shot, **extra, "number": index + 1})
    return {**data, "shots": tuple(completed)}, frozenset(added)


def _replayed(shot: dict[str, yaml_source.Value], shots: tuple[yaml_source.Value, ...]) -> dict[str, yaml_source.Value]:
    """Return the shot that *shot* shows again, or itself where it is no replay.

    A replay of nothing that there is gets another shot's pictures, so that one mistake is told once.
    """
    replay = shot.get("replay")
    if replay is None:
        return shot
    named = replay.get("of") if isinstance(replay, dict) else replay
    filmed = [other for other in shots if isinstance(other, dict) and "replay" not in other]
    return next((other for other in filmed if other.get("id") == named), next(iter(filmed), shot))


def _frame_rate(data: yaml_source.Value) -> Fraction:
    """Return the film's rate; 24 where it has none or a bad one, so that the rest can be checked."""
    try:
        return timecode.frame_rate(data["fps"] if isinstance(data, dict) else None)
    except (KeyError, timecode.BadTime):
        return Fraction(24)

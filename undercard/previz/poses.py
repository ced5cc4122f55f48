"""The pose library: poses by name from `poses.toml`, tunable."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Literal, TypeAlias, cast

from undercard.domain.staging import Pose, Vec3
from undercard.errors import BadInput

Strike: TypeAlias = Literal["lead", "rear"]
Target: TypeAlias = Literal["head", "body"]

FIELDS = tuple(field.name for field in fields(Pose))
"""The names of a pose's fields, each three numbers."""


@dataclass(frozen=True, slots=True)
class _Entry:
    pose: Pose
    about: str
    strike: Strike | None
    target: Target | None


def names() -> tuple[str, ...]:
    """Return the names of all poses, in the library's order."""
    return tuple(_library())


def pose(name: str, tune: Mapping[str, Sequence[float]] | None = None) -> Pose:
    """Return a pose by name.

    Args:
        name: one of `names()`.
        tune: field of Pose → three numbers to add to it, metres or degrees.

    Raises:
        BadInput: no pose of that name; no such field; not three finite numbers.
    """
    found = _entry(name).pose
    if not tune:
        return found
    values: dict[str, Vec3] = {field: getattr(found, field) for field in FIELDS}
    for field, offset in tune.items():
        x, y, z = _offset(name, field, offset)
        a, b, c = values[field]
        values[field] = (a + x, b + y, c + z)
    return Pose(**values)


def pose_card(name: str) -> str:
    """Return a pose in one line, for help and schemas.

    Raises:
        BadInput: no pose of that name.
    """
    return _entry(name).about


def strike(name: str) -> Strike | None:
    """Return which fist the pose punches with.

    Raises:
        BadInput: no pose of that name.
    """
    return _entry(name).strike


def target(name: str) -> Target | None:
    """Return what the pose punches at.

    Raises:
        BadInput: no pose of that name.
    """
    return _entry(name).target


def _offset(name: str, field: str, offset: Sequence[float]) -> Vec3:
    if field not in FIELDS:
        raise BadInput(f"pose {name!r}: cannot tune {field!r}; {_instead(field, FIELDS)}")
    numbers = (
        not isinstance(offset, str)
        and len(offset) == 3
        and all(isinstance(value, int | float) and math.isfinite(value) for value in offset)
    )
    if not numbers:
        raise BadInput(
            f"pose {name!r}: {field} is tuned by {offset!r}; give three finite numbers to add, such as [0, 0.1, 0]"
        )
    return float(offset[0]), float(offset[1]), float(offset[2])


def _entry(name: str) -> _Entry:
    library = _library()
    if name not in library:
        raise BadInput(f"no pose {name!r}; {_instead(name, tuple(library))}")
    return library[name]


def _instead(value: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(value, known, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"use one of {', '.join(known)}"


@cache
def _library() -> dict[str, _Entry]:
    text = (resources.files("undercard.previz") / "poses.toml").read_text("utf-8")
    tables: dict[str, dict[str, object]] = tomllib.loads(text)
    return {name: _read(_inherited(name, tables)) for name in tables}


def _inherited(name: str, tables: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Return an entry with all that it takes from its bases."""
    table = tables[name]
    base = table.get("base")
    return {**(_inherited(str(base), tables) if base else {}), **table}


def _read(table: Mapping[str, object]) -> _Entry:
    values = {field: tuple(float(value) for value in cast("list[float]", table[field])) for field in FIELDS}
    return _Entry(
        Pose(**cast("dict[str, Vec3]", values)),
        str(table["about"]),
        cast("Strike | None", table.get("strike")),
        cast("Target | None", table.get("target")),
    )

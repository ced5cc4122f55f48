"""What is wrong with a shot list, said so that it can be mended: where, which value, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from undercard.domain.problems import Location, where
from undercard.errors import Problem
from undercard.shotlist.entry import Entry
from undercard.shotlist.fields import nearest
from undercard.shotlist.models import ShotList
from undercard.shotlist.yaml_source import Source

MAX_TOLD = 200
"""More than anybody reads."""
NOUNS = {"model_type": "mapping", "dict_type": "mapping", "tuple_type": "list", "string_type": "text"}
"""What pydantic's types are called in YAML."""
REMEDIES = {
    "missing": "add it",
    "string_type": "write text; put it in quotes if it looks like a number",
    "int_type": "write a whole number",
    "float_type": "write a number",
    "bool_type": "write true or false",
    "tuple_type": "write a list",
    "dict_type": "write a mapping, `name: value` on lines of its own",
    "model_type": "write a mapping, `name: value` on lines of its own",
    "string_pattern_mismatch": "use letters, digits, - and _, beginning with a letter, 64 at most",
}


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """Return *problems* from the file's top to its end, without repetitions, and at most `MAX_TOLD` of them."""
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: problem.line or 0)
    if len(ordered) <= MAX_TOLD:
        return ordered
    rest = len(ordered) - MAX_TOLD
    return [*ordered[:MAX_TOLD], Problem("the file", f"{rest:,} more problems like these", "mend these first")]


def translate(exc: ValidationError, source: Source, added: frozenset[Location]) -> Iterator[Problem]:
    """Yield each error of pydantic as a problem; those at *added* were inherited and show where they come from."""
    errors = exc.errors(include_url=False)
    places = [error["loc"] for error in errors]
    for error in errors:
        location: Location = error["loc"]
        # pydantic counts a list's valid items only: with a bad item in it, it is too short as well.
        follows = error["type"] == "too_short" and any(place[: len(location)] == location != place for place in places)
        if location[:3] in added or follows:
            continue
        what, remedy = _explain(error)
        yield Problem(_place(source, location), what, remedy, source.line(location))


def problem(source: Source, location: Location, what: str, remedy: str) -> Problem:
    """Return the problem of what stands at *location* of *source*."""
    return Problem(_place(source, location), what, remedy, source.line(location))


def _explain(error: ErrorDetails) -> tuple[str, str]:
    context = error.get("ctx", {})
    if error["type"] == "refused":
        return context["what"], context["remedy"]
    if error["type"] == "extra_forbidden":
        known = _fields_at(error["loc"])
        return f"unknown field {error['loc'][-1]!r}", nearest(str(error["loc"][-1]), known)
    if error["type"] == "missing":
        return "it is missing", "add it"
    if error["type"] == "literal_error":
        expected = str(context["expected"]).replace("'", "")
        return f"{_shown(error['input'])} is none of the choices", f"use {expected}"
    if error["type"] in ("too_short", "string_too_short"):
        least = context["min_length"]
        count = "it is empty" if least == 1 else f"{_shown(error['input'])} is too short"
        return count, f"write {least} at least"
    if error["type"] == "too_long":
        unit = " characters" if isinstance(error["input"], str) else ""
        return f"{_shown(error['input'])} is too long", f"write {context['max_length']}{unit} at most"
    if error["type"] in NOUNS:
        return f"{_shown(error['input'])} is no {NOUNS[error['type']]}", REMEDIES[error["type"]]
    message = error["msg"].removeprefix("Input ").removeprefix("String ")
    what = f"{_shown(error['input'])} {message}"
    return what, REMEDIES.get(error["type"], "write a value within those limits")


def _shown(value: object) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _fields_at(location: Location) -> list[str]:
    """Return the names of the fields that may stand beside the last part of *location*."""
    entry: type[Entry] = ShotList
    is_key = False
    for part in location[:-1]:
        if isinstance(part, int) or is_key:
            is_key = False
            continue
        fields = {field.alias or name: field for name, field in entry.model_fields.items()}
        inner = _entry_in(fields[part].annotation) if part in fields else None
        if inner is None:
            return []
        is_key = str(fields[part].annotation).startswith("dict")
        entry = inner
    return [field.alias or name for name, field in entry.model_fields.items() if name != "number"]


def _entry_in(annotation: object) -> type[Entry] | None:
    if isinstance(annotation, type) and issubclass(annotation, Entry):
        return annotation
    return next((found for part in get_args(annotation) if (found := _entry_in(part))), None)


def _place(source: Source, location: Location) -> str:
    """Return where *location* is, with the shot's id in place of its index."""
    data = source.data if isinstance(source.data, dict) else {}
    if len(location) >= 2 and location[0] == "shots" and isinstance(location[1], int):
        shots = data.get("shots")
        shot = shots[location[1]] if isinstance(shots, tuple) else None
        name = shot.get("id") if isinstance(shot, dict) else None
        shown = name if isinstance(name, str) and name else f"number {location[1] + 1}"
        return where(("shots", shown, *location[2:]))
    return where(location)

"""Reading the catalogue of models from its TOML file, with every mistake told by line and key at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from undercard.domain.problems import where
from undercard.errors import BadCatalogue, BadInput, Problem
from undercard.models.catalogue import TRANSFORMERS, Catalogue, KitSpec, Layout, ModelSpec
from undercard.settings import Settings

Place: TypeAlias = "tuple[str | int, ...]"
Fault: TypeAlias = "tuple[Place, str, str]"
"""Where, what is wrong, and what to do."""


def load(settings: Settings) -> Catalogue:
    """Return the catalogue that *settings* name, the project's own by default.

    Raises:
        BadInput: there is no such file.
        BadCatalogue: it has problems; all are named.
    """
    path = settings.catalogue_file
    try:
        stamp = path.stat().st_mtime_ns
    except OSError as exc:
        remedy = "set UNDERCARD_CATALOGUE to a file such as data/models.toml, or unset it"
        raise BadInput(f"catalogue {path} cannot be read: {exc.strerror}; {remedy}") from exc
    return _read(path, stamp)


# Every backend asks what it needs, and parsing takes 20 ms; a file that changes is another key.
@lru_cache(maxsize=4)
def _read(path: Path, _stamp: int) -> Catalogue:
    return parse(path.read_text("utf-8"), path.name)


def parse(text: str, name: str) -> Catalogue:
    """Return the catalogue in *text*, the content of the file called *name*.

    Raises:
        BadCatalogue: it has problems; all are named.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        line = re.search(r"at line (\d+)", str(exc))
        problem = Problem("the file", f"not TOML: {exc}", "mend that line", int(line[1]) if line else None)
        raise BadCatalogue(name, [problem]) from exc
    try:
        catalogue = Catalogue.model_validate(data)
        faults = list(_references(catalogue))
    except ValidationError as exc:
        faults = [(error["loc"], *_explained(error)) for error in exc.errors(include_url=False)]
    problems = [Problem(where(_named(data, place)), what, remedy, _line(text, place)) for place, what, remedy in faults]
    if problems:
        raise BadCatalogue(name, sorted(problems, key=lambda problem: problem.line or 0))
    return catalogue


def _references(catalogue: Catalogue) -> Iterator[Fault]:
    """Yield what is wrong with the names of models and with the kits that speak of them."""
    known: dict[str, ModelSpec] = {}
    for number, model in enumerate(catalogue.model):
        if model.name in known:
            yield ("model", number, "name"), f"{model.name!r} is there twice", "give each model a name of its own"
        known[model.name] = model
    for number, kit in enumerate(catalogue.kit):
        strange = [name for name in kit.names() if name not in known]
        for name in strange:
            yield ("kit", number), f"{name!r} is no model of this catalogue", "name one, or add it as [[model]]"
        if not strange:
            yield from ((("kit", number, *place), what, remedy) for place, what, remedy in _kit(kit, known))


def _kit(kit: KitSpec, known: Mapping[str, ModelSpec]) -> Iterator[Fault]:
    if kit.base is not None and not known[kit.base].is_folder:
        yield ("base",), f"{kit.base!r} is no folder in diffusers' layout", "name one that is"
    for name in kit.transformer:
        if known[name].layout not in TRANSFORMERS:
            yield ("transformer",), f"{name!r} is no transformer", "name files of transformers only"
    for name in kit.lora:
        if known[name].layout is not Layout.LORA:
            yield ("lora",), f"{name!r} is no LoRA", "name LoRAs only"
    editions = sorted({edition for name in kit.names() if (edition := known[name].edition)})
    if len(editions) > 1:
        yield (), f"it mixes editions {' and '.join(editions)}", "make a kit for each"
    if not kit.lora and not (kit.transformer and all(known[name].steps for name in kit.transformer)):
        yield (), "nothing in it makes 4 or 8 steps enough", "name a `lora`, or transformers with `steps` only"


def _explained(error: ErrorDetails) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return "unknown key", f"use {', '.join(_keys_beside(error['loc']))}"
    if kind == "missing":
        return "it is missing", "add it"
    if kind == "value_error":
        return f"it {context['error']}", "mend it"
    message = error["msg"].removeprefix("Input ").replace("Value should", "should")
    return f"{error['input']!r} {message}", "mend it"


def _keys_beside(place: Place) -> list[str]:
    """Return the keys that may stand where the last one of *place* does."""
    entry: type[BaseModel] = Catalogue
    for part in place[:-1]:
        if isinstance(part, str):
            annotation = entry.model_fields[part].annotation
            entry = next(kind for kind in get_args(annotation) if isinstance(kind, type))
    return sorted(entry.model_fields)


def _named(data: Mapping[str, object], place: Place) -> Place:
    """Return *place* with the name of a model or the backends of a kit instead of its number."""
    if len(place) < 2 or not isinstance(place[1], int):
        return place
    entries = data.get(str(place[0]))
    entry = entries[place[1]] if isinstance(entries, list) and place[1] < len(entries) else None
    shown = entry.get("name") or entry.get("backends") if isinstance(entry, dict) else None
    label = ", ".join(map(str, shown)) if isinstance(shown, list) else str(shown or f"number {place[1] + 1}")
    return (place[0], label, *place[2:])


def _line(text: str, place: Place) -> int | None:
    """Return the line of *place*, or of the nearest thing around it; tables and their keys stand on lines of their own.

    tomllib keeps no lines.
    """
    lines = text.splitlines()
    begin, found = 0, None
    if len(place) >= 2 and isinstance(place[1], int):
        headers = [number for number, line in enumerate(lines) if re.match(rf"\[\[{place[0]}\]\]", line)]
        if place[1] >= len(headers):
            return None
        begin = found = headers[place[1]]
        place = place[2:]
    end = next((number for number in range(begin + 1, len(lines)) if lines[number].startswith("[")), len(lines))
    for part in place:
        pattern = r"\s*\{" if isinstance(part, int) else rf"\s*{re.escape(part)}\s*="
        count = part if isinstance(part, int) else 0
        matching = [number for number in range(begin, end) if re.match(pattern, lines[number])]
        if count >= len(matching):
            break
        begin = found = matching[count]
    return None if found is None else found + 1

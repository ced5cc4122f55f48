"""Read a YAML file written by a person: plain data, the line of every value, and every fault at once.

Only what a shot list needs is understood: mappings, lists, strings, numbers, true/false and null, as YAML 1.2's core
schema reads them. `no` and `on` are words, `1:30` is a string: nothing turns into a number or a truth unasked.
Aliases, tags, duplicate keys and second documents are refused, so that no file can grow while it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeAlias

import yaml

from undercard.domain.problems import Location, where
from undercard.errors import BadInput, BadShotList, Problem

MAX_BYTES = 1 << 20
"""A shot list of 2,000 shots with four keyframes each takes about 800 kB."""
MAX_VALUES = 250_000
"""A shot list of 2,000 shots holds about 100,000; the line of each is kept."""
MAX_REFUSED = 200
"""More than anybody reads; a file full of aliases would else make an error of 20 MB."""
MAX_DEPTH = 16
"""The format itself is 8 levels deep."""

Scalar: TypeAlias = "str | int | float | bool | None"
Value: TypeAlias = "Scalar | tuple[Value, ...] | dict[str, Value]"

_NULL = re.compile(r"|~|null|Null|NULL")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Source:
    """A YAML file as plain data."""

    file: str
    data: Value
    """Mappings are dicts, lists are tuples."""
    lines: Mapping[Location, int]
    """The line, from 1, of the value at each path; a mapping's entry begins at its key."""
    problems: tuple[Problem, ...]
    """What was refused; the data is as if it were not there."""

    def line(self, path: Location) -> int | None:
        """Return the line of *path*, or of the nearest thing around it that the file holds."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None


def read(path: Path) -> Source:
    """Read the YAML file at *path*.

    Raises:
        BadInput: there is no such file, or it cannot be read.
        BadShotList: it is no YAML at all: too large, not UTF-8, a syntax error, empty.
    """
    text = _text(path)
    reader = _Reader(path.name)
    try:
        data = reader.document(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as exc:
        # libyaml looks ahead, and gives up at a thousand levels before it tells of the seventeenth. Python's own parser
        # is slower, and comes to what we refuse first.
        with suppress(yaml.YAMLError):
            _Reader(path.name).document(yaml.parse(text, Loader=yaml.SafeLoader))
        raise BadShotList(path.name, [*reader.problems, _syntax_problem(exc)]) from exc
    return Source(path.name, data, reader.lines, tuple(reader.problems))


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            missing = "is not a file" if path.exists() else "does not exist"
            raise BadInput(f"shot list {str(path)!r} {missing}; give the path of a YAML file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as exc:  # ValueError: a path that holds a null byte
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise BadInput(f"shot list {str(path)!r} cannot be read: {reason}; check its path and rights") from exc
    if len(content) > MAX_BYTES:
        _fail(path, f"larger than {MAX_BYTES:,} bytes", "split the film into several shot lists")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        _fail(path, f"byte {content[exc.start]:#04x} is not UTF-8", "save the file as UTF-8", line)
    if not text.strip():
        _fail(path, "empty", "begin with `title:` and `shots:`, as data/shots/one_punch.yaml does")
    return text


def _fail(path: Path, what: str, remedy: str, line: int | None = None) -> NoReturn:
    raise BadShotList(path.name, [Problem("the file", what, remedy, line)])


def _syntax_problem(exc: yaml.YAMLError) -> Problem:
    if isinstance(exc, yaml.MarkedYAMLError):
        mark = exc.problem_mark or exc.context_mark
        line = None if mark is None else mark.line + 1
        column = "" if mark is None else f" at column {mark.column + 1}"
        return Problem(
            "the file",
            f"not YAML: {exc.problem or exc.context}{column}",
            "check indentation, colons and quotes there",
            line,
        )
    return Problem("the file", f"not YAML: {exc}", "remove characters that are not text")


@dataclass(slots=True)
class _Reader:
    """Builds data from YAML's events; events, unlike PyYAML's own constructors, know where they stand."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    lines: dict[Location, int] = field(default_factory=dict)

    def document(self, events: Iterator[yaml.Event]) -> Value:
        data: Value = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    remedy = "keep one film a file and remove the `---`"
                    self._stop((), "a second document begins", remedy, _line(event))
            elif isinstance(event, yaml.NodeEvent):
                data = self._node(event, events, ())
        return data

    def _node(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], path: Location) -> Value:
        line = _line(event)
        self.lines.setdefault(path, line)
        if len(path) > MAX_DEPTH:
            self._stop(path, f"nested deeper than {MAX_DEPTH} levels", "flatten it", line)
        if len(self.lines) > MAX_VALUES:
            self._stop(path, f"more than {MAX_VALUES:,} values", "split the film into several shot lists", line)
        if isinstance(event, yaml.AliasEvent):
            self._refuse(path, f"alias *{event.anchor}", "write the value out", line)
            return None
        if event.anchor is not None:
            self._refuse(path, f"anchor &{event.anchor}", "remove it; aliases are not read", line)
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            self._refuse(path, f"tag {event.tag!r}", "remove it; plain values are enough", line)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path)
        assert isinstance(event, yaml.ScalarEvent)
        return self._scalar(event, path)

    def _sequence(self, events: Iterator[yaml.Event], path: Location) -> tuple[Value, ...]:
        items: list[Value] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            assert isinstance(event, yaml.NodeEvent)
            items.append(self._node(event, events, (*path, len(items))))
        return tuple(items)

    def _mapping(self, events: Iterator[yaml.Event], path: Location) -> dict[str, Value]:
        entries: dict[str, Value] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            line = _line(event)
            name = event.value if isinstance(event, yaml.ScalarEvent) else ""
            if not isinstance(event, yaml.ScalarEvent):
                assert isinstance(event, yaml.NodeEvent)
                self._refuse(path, "a key that is no plain word", "write `name: value`", line)
                self._node(event, events, (*path, "?"))
            elif event.anchor is not None or event.tag is not None:
                self._refuse((*path, name), f"key {name!r} carries an anchor or a tag", "remove it", line)
            value_event = next(events)
            assert isinstance(value_event, yaml.NodeEvent)
            if name in entries:
                first = self.lines[*path, name]
                what = f"key {name!r} stands on line {first} and again on line {line}"
                self._refuse((*path, name), what, "keep one of the two", line)
                self._node(value_event, events, (*path, name))
                continue
            self.lines[*path, name] = line
            entries[name] = self._node(value_event, events, (*path, name))
        return entries

    def _scalar(self, event: yaml.ScalarEvent, path: Location) -> Scalar:
        text: str = event.value
        if not event.implicit[0]:  # quoted or a block: a string, whatever it looks like
            return text
        if _NULL.fullmatch(text):
            return None
        if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
            return _TRUE.fullmatch(text) is not None
        if _INTEGER.fullmatch(text):
            return int(text)
        if _NUMBER.fullmatch(text):
            number = float(text)
            if number in (float("inf"), float("-inf")) or text.lstrip("+-").isdigit():
                line = _line(event)
                self._refuse(path, f"number {_short(text)} is too large", "write a smaller one", line)
                return 0
            return number
        return text

    def _stop(self, path: Location, what: str, remedy: str, line: int) -> NoReturn:
        raise BadShotList(self.file, [*self.problems, Problem(where(path[:3]), what, remedy, line)])

    def _refuse(self, path: Location, what: str, remedy: str, line: int) -> None:
        self.problems.append(Problem(where(path), what, remedy, line))
        if len(self.problems) >= MAX_REFUSED:
            raise BadShotList(self.file, self.problems)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:20]}…"

"""A runtime without Prefect: each step runs when it is submitted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

from undercard.production.report import ShotRow
from undercard.production.runtime import Ended, Pending

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Run(Generic[T]):
    """A step that has run."""

    name: str
    outcome: Ended[T]

    def add_done_callback(self, action: Callable[[Any], object]) -> None:
        action(self)

    def ended(self) -> Ended[T]:
        return self.outcome


class NoBar:
    """A bar that nobody watches."""

    def step(self) -> None:
        pass


@dataclass(slots=True)
class InlineRuntime:
    """Runs steps one after the other, and remembers what they were called and what they came after."""

    log: logging.Logger = field(default_factory=lambda: logging.getLogger("tests"))
    names: list[str] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of steps: the first was given what the second made."""
    rows: list[Sequence[ShotRow]] = field(default_factory=list)
    films: list[Path] = field(default_factory=list)

    def submit(
        self, name: str, after: Sequence[Pending[Any]], step: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Run[T]:
        self.names.append(name)
        self.edges += [(name, each.name) for each in after if isinstance(each, Run)]
        try:
            return Run(name, Ended(step(*args, **kwargs)))
        except Exception as exc:  # noqa: BLE001  # as a task runner does
            return Run(name, Ended(None, exc))

    def bar(self, key: str, description: str, total: int) -> NoBar:
        return NoBar()

    def show_rows(self, rows: Sequence[ShotRow], title: str, subtitle: str, sheet: Path) -> None:
        self.rows.append(rows)

    def show_film(self, film: Path, description: str) -> None:
        self.films.append(film)

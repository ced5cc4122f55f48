"""What a run needs of whoever runs it: steps that are submitted, a log, bars, and a place where reports are shown."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, ParamSpec, Protocol, TypeAlias, TypeVar

from undercard.errors import UndercardError
from undercard.production.report import ShotRow

P = ParamSpec("P")
T = TypeVar("T")
Log: TypeAlias = "logging.Logger | logging.LoggerAdapter[Any]"


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """What came of a step: a value or an error."""

    value: T | None
    error: BaseException | None = None
    cached: bool = False
    """An earlier run made the value."""


class Pending(Protocol[T]):
    """A step that was submitted."""

    def add_done_callback(self, action: Callable[[Any], object]) -> None:
        """Call *action* with this step once it has ended, from any thread."""

    def ended(self) -> Ended[T]:
        """Wait for the step and return what came of it."""


class Bar(Protocol):
    """A progress bar that people watch."""

    def step(self) -> None:
        """Count one more of the total as done."""


class Runtime(Protocol):
    """Runs the steps of a run. A step is a function of this library whose arguments decide its value."""

    @property
    def log(self) -> Log:
        """Where the run says what happens."""

    def submit(
        self, name: str, after: Sequence[Pending[Any]], step: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[T]:
        """Start *step* with the arguments that follow it.

        Args:
            name: what people call this run of the step: `jab-01 · take 1 · bf16`.
            after: the steps that made what it is given; they have ended.
            step: one of those that the runtime knows.
            args: its positional arguments.
            kwargs: its other arguments.
        """

    def bar(self, key: str, description: str, total: int) -> Bar:
        """Show a bar; a later one of the same *key* takes its place."""

    def show_rows(self, rows: Sequence[ShotRow], title: str, subtitle: str, sheet: Path) -> None:
        """Show what came of each shot, and save the contact sheet as *sheet* (a PNG)."""

    def show_film(self, film: Path, description: str) -> None:
        """Show where the film lies."""


def value_of(pending: Pending[T]) -> T:
    """Wait for a step and return its value.

    Raises:
        BaseException: what ended the step.
    """
    ended = pending.ended()
    if ended.error is not None:
        raise ended.error
    # None is a value, too, where T allows it.
    return ended.value  # type: ignore[return-value]


def as_ended(pendings: Sequence[Pending[T]]) -> Iterator[Pending[T]]:
    """Yield *pendings* in the order in which they end."""
    finished: queue.SimpleQueue[Pending[T]] = queue.SimpleQueue()
    for pending in pendings:
        pending.add_done_callback(finished.put)
    for _ in pendings:
        yield finished.get()


def describe(error: BaseException | None) -> str:
    """Return *error* as a record keeps it."""
    return str(error) if isinstance(error, UndercardError) else f"{type(error).__name__}: {error}"

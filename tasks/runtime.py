"""Prefect as the runtime of a run: steps become task runs, bars and reports become artifacts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, cast

from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.utilities.annotations import quote

from tasks import reports
from tasks.listener import Listener
from tasks.results import admit
from tasks.steps import STEPS
from undercard.production.report import ShotRow, draw_sheet
from undercard.production.runtime import Ended, Log, Pending

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Submitted(Generic[T]):
    """A task run of a step."""

    future: PrefectFuture[T]
    shared: bool = False
    """It was started for another step of the same key."""

    def add_done_callback(self, action: Callable[[Any], object]) -> None:
        """Call *action* with this step once it has ended."""

        def call(_future: PrefectFuture[T]) -> None:
            action(self)

        self.future.add_done_callback(call)

    def ended(self) -> Ended[T]:
        """Wait for the task run and return what came of it."""
        self.future.wait()
        state = self.future.state
        if state.is_completed():
            return Ended(self.future.result(), cached=self.shared or state.name == "Cached")
        error = state.result(raise_on_failure=False)
        return Ended(None, error if isinstance(error, BaseException) else RuntimeError(str(error)))


# Without slots, for what is made when it is first asked for.
@dataclass(frozen=True)
class PrefectRuntime:
    """Runs the steps of the flow run that it is made in."""

    results: Path
    """Where the small results of tasks are kept, beside the files they speak of."""
    film: str
    """The name of the film's folder: its artifacts are found under that, as one server shows many films."""
    log: Log = field(default_factory=get_run_logger)
    running: dict[str, PrefectFuture[Any]] = field(default_factory=dict)
    """By key, the newest task run."""

    @cached_property
    def listener(self) -> Listener:
        """The server, as far as it listens."""
        return Listener(self.log)

    def submit(
        self, name: str, after: Sequence[Pending[Any]], step: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Submitted[T]:
        """Start a task run called *name*, which Prefect shows behind those of *after*; see `Runtime`."""
        known = STEPS[step]
        options: dict[str, Any] = {"task_run_name": _literal(name)}
        if known.key is not None:
            key = known.key(dict(kwargs))
            twin = self.running.get(key)
            # Prefect would run both, and one could read the result while the other writes it.
            if twin is not None and not twin.state.is_final():
                return Submitted(twin, shared=True)
            admit(self.results / key)
            options |= {"cache_key_fn": lambda _context, _parameters: key, "result_storage": self.results}
        # Arguments are whole, so the run graph learns from `wait_for` what a step depends on.
        future = known.task.with_options(**options).submit(
            *args,
            wait_for=[each.future for each in after if isinstance(each, Submitted)],
            **{name: _whole(value) for name, value in kwargs.items()},
        )
        if known.key is not None:
            self.running[key] = future
        return Submitted(future)

    def bar(self, key: str, description: str, total: int) -> reports.ProgressBar:
        """Show a bar in Prefect's UI."""
        return reports.ProgressBar(self.listener, self._key(key), description, total)

    def show_rows(self, rows: Sequence[ShotRow], title: str, subtitle: str, sheet: Path) -> None:
        """Show the table of shots and the contact sheet in Prefect's UI, and save the sheet."""
        drawn = draw_sheet(rows, title, subtitle)
        drawn.save(sheet, compress_level=1)
        tell, key = self.listener.tell, self._key("contact-sheet")
        tell(reports.publish_shot_table, _whole(list(rows)), self._key("shots"), title)
        tell(reports.publish_contact_sheet, _whole(drawn), key, title, subtitle)

    def show_film(self, film: Path, description: str) -> None:
        """Show where the film lies in Prefect's UI."""
        self.listener.tell(reports.publish_film, film, self._key("film"), description)

    def _key(self, what: str) -> str:
        """Return what Prefect calls an artifact of this film: letters, digits and dashes."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.film}-{what}".lower()).strip("-")


def _whole(argument: T) -> T:
    """Pass *argument* to a task as it is.

    Prefect walks through every argument in search of futures. A plan holds the whole shot list, and five hundred walks
    through it took longer than everything else in a run that renders nothing.
    """
    return cast("T", quote(argument))


def _literal(name: str) -> str:
    """Return *name* as a template that stands for itself: shots may be called `{a}`."""
    return name.replace("{", "{{").replace("}", "}}")

"""A run seen from a terminal: a borrowed server, a bar with a time to finish, and what came of it in a few lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta

from prefect.logging.handlers import PrefectConsoleHandler
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from flows.local_server import borrow
from flows.produce import produce
from undercard import settings
from undercard.domain import progress
from undercard.domain.progress import Meter
from undercard.domain.ticker import every
from undercard.errors import MixedFilm, NeedsReview, ShotsFailed
from undercard.hardware.probe import this_device
from undercard.production import options, report
from undercard.production.folders import folder_of
from undercard.production.manifest import film as remembered_film
from undercard.production.manifest import remembered
from undercard.production.options import RunOptions

REDRAW_SECONDS = 0.25


class TimeLeft(ProgressColumn):
    """The meter's own estimate: unlike the bar's pace it is not fooled by cached work."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self.meter = meter

    def render(self, task: Task) -> Text:
        """Draw the column."""
        left = self.meter.seconds_left
        return Text(f"{timedelta(seconds=round(left))} left" if left else "", style="cyan")


def render(run: RunOptions, console: Console, *, verbose: bool) -> bool:
    """Run `produce` and say what came of it.

    Returns:
        Whether every selected shot is in the film.

    Raises:
        MixedFilm: every shot is done, by renderers that give different pixels.
        NeedsReview: every shot is done, and the gate accepted no take of some keyframes.
        UndercardError: the run could not begin, or failed for another cause than its shots.
    """
    # Bad input is told before anything is started.
    plan = options.plan_run(run, this_device())
    if plan.why:
        console.print(f"{plan.backend}, because no model runs here: {plan.why}", style="dim", highlight=False)
    meter = Meter()
    film = None
    refusal = None
    with ExitStack() as stack:
        if not verbose:
            stack.enter_context(_quiet())
        stack.enter_context(_server(console))
        stack.enter_context(progress.watching(meter))
        stack.enter_context(_bar(meter, console, plan.shot_list.title))
        # Which shots failed, and why, is said below.
        stack.enter_context(suppress(ShotsFailed))
        try:
            film = produce(**run.model_dump())
        except (MixedFilm, NeedsReview) as exc:
            refusal = exc
    folder = folder_of(plan)
    rows = report.shot_rows(plan, remembered(folder))
    console.print(report.summary(plan, rows))
    for row in rows:
        if row.status == "failed":
            console.print(f"[red]{row.number} {row.shot}[/]: {row.cause}")
        elif row.status == "needs review":
            console.print(f"[magenta]{row.number} {row.shot} needs review[/]: {row.cause}")
        elif row.road or row.mended:
            console.print(f"[yellow]{row.number} {row.shot}[/]: {row.road or row.mended}")
    record = remembered_film(folder, film.name) if film is not None else None
    for shot, motion in (record.fallen if record is not None else {}).items():
        console.print(f"[yellow]{shot}[/]: {motion}")
    for name in record.delivered if record is not None else ():
        console.print(f"Delivered: {folder / name}", soft_wrap=True)
    console.print(f"Contact sheet: {folder / 'contact_sheet.png'}", soft_wrap=True)
    if film is not None:
        console.print(f"Film: [bold]{film}[/]", soft_wrap=True)
    if refusal is not None:
        raise refusal
    return film is not None


@contextmanager
def _server(console: Console) -> Iterator[None]:
    """Use the configured Prefect server, else the local one."""
    if PREFECT_API_URL.value():
        yield
        return
    starting = borrow(settings.load().store_root / "prefect-server.json")
    with console.status("Starting Prefect's server on this machine …"):
        server = starting.ready()
    console.print(f"Runs are shown at {server.dashboard} while you use them.", style="dim")
    with temporary_settings({PREFECT_API_URL: server.url}):
        yield


@contextmanager
def _bar(meter: Meter, console: Console, title: str) -> Iterator[None]:
    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeLeft(meter),
    ]
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=1.0)

        def redraw() -> None:
            step = f" · {meter.step}" if meter.step else ""
            bar.update(task, completed=meter.fraction, description=f"{title}{step}")

        with every(REDRAW_SECONDS, redraw):
            yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Prefect's log out of the terminal; its server still gets every line."""
    root = logging.getLogger()
    before = list(root.handlers)
    root.handlers = [handler for handler in before if not isinstance(handler, PrefectConsoleHandler)]
    try:
        yield
    finally:
        root.handlers = before

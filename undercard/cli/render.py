"""`undercard render`: a local server, a bar with a time to finish, and what came of the run in a few lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import httpx
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from flows.produce import produce
from tasks.listener import forget_events, hush
from undercard import settings
from undercard.cli.local_server import borrow, require_answer, state_file
from undercard.cli.worker_process import HEARTBEAT_SECONDS
from undercard.domain import progress
from undercard.domain.progress import Meter
from undercard.domain.ticker import every
from undercard.errors import MixedFilm, NeedsReview, ShotsFailed, UndercardError
from undercard.hardware.probe import this_device
from undercard.production import report
from undercard.production.assembly.assemble import CONTACT_SHEET
from undercard.production.options import RunOptions
from undercard.production.produce import hand_over
from undercard.production.run import begin

REDRAW_SECONDS = 0.25


class ServerGone(UndercardError):
    """The server stopped answering before the run had come to anything."""


class TimeLeft(ProgressColumn):
    """The meter's own estimate: unlike the bar's pace it is not fooled by cached work."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self.meter = meter

    def render(self, task: Task) -> Text:
        """Draw the column."""
        left = self.meter.seconds_left
        return Text(f"{timedelta(seconds=round(left))} left" if left else "", style="cyan")


def render_film(options: RunOptions, console: Console, *, verbose: bool) -> bool:
    """Run `produce` and say what came of it.

    Returns:
        Whether every selected shot is in the film.

    Raises:
        MixedFilm: every shot is done, by renderers that give different pixels.
        NeedsReview: every shot is done, and the gate accepted no take of some keyframes.
        UndercardError: the run could not begin, or failed for another cause than its shots.
    """
    # Bad input is reported before anything is started.
    begun = begin(options, settings.load(), this_device)
    plan = begun.plan
    if plan.why:
        console.print(f"{plan.backend}, because no model runs here: {plan.why}", style="dim", highlight=False)
    meter = Meter()
    problem: MixedFilm | NeedsReview | ShotsFailed | None = None
    gone = False
    with ExitStack() as stack:
        # As a worker's runs do, so that the server notices if this process dies.
        stack.enter_context(temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: HEARTBEAT_SECONDS}))
        if not verbose:
            stack.enter_context(_quiet())
        stack.enter_context(_server(console))
        stack.enter_context(progress.watching(meter))
        stack.enter_context(_bar(meter, console, plan.shot_list.title))
        handover = stack.enter_context(hand_over(begun))
        try:
            # What is not asked for has the flow's own default.
            produce(**options.model_dump(exclude_none=True))
        except (MixedFilm, NeedsReview, ShotsFailed) as exc:
            problem = exc
        except httpx.TransportError as exc:
            if handover.made is None:
                raise ServerGone(
                    f"Prefect's server went away ({exc}); run the same again: what was rendered is kept"
                ) from exc
            problem, gone = handover.made.problem, True
    made = handover.made
    if gone:
        forget_events()
        console.print("[yellow]Prefect's server went away, so it does not know how this run ended.[/]")
    if made is None:
        raise problem or AssertionError("a flow that ends without an error has made something")
    console.print(report.summary(plan, made.rows))
    for row in made.rows:
        if row.status == "failed":
            console.print(f"[red]{row.number} {row.shot}[/]: {row.cause}")
        elif row.status == "needs review":
            console.print(f"[magenta]{row.number} {row.shot} needs review[/]: {row.cause}")
        elif row.road or row.mended:
            console.print(f"[yellow]{row.number} {row.shot}[/]: {row.road or row.mended}")
    film = made.film
    # A film that is not what was asked for is named by its error.
    whole = film if problem is None else None
    for shot, motion in (whole.record.fallen if whole is not None else {}).items():
        console.print(f"[yellow]{shot}[/]: {motion}")
    for name in whole.record.delivered if whole is not None else ():
        console.print(f"Delivered: {made.folder / name}", soft_wrap=True)
    console.print(f"Contact sheet: {made.folder / CONTACT_SHEET}", soft_wrap=True)
    if whole is not None:
        console.print(f"Film: [bold]{whole.path}[/]", soft_wrap=True)
    # Which shots failed, and why, is said above.
    if problem is not None and not isinstance(problem, ShotsFailed):
        raise problem
    return whole is not None


@contextmanager
def _server(console: Console) -> Iterator[None]:
    """Use the configured Prefect server, else the local one."""
    if configured := PREFECT_API_URL.value():
        require_answer(configured)
        yield
        return
    starting = borrow(state_file())
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
    hush(True)
    try:
        yield
    finally:
        root.handlers = before
        hush(False)

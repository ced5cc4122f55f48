"""A run as the flow run that calls it: planned, carried out, and ended in a state that says what came of it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from prefect.runtime import flow_run
from prefect.states import Failed

from tasks.listener import forget_events
from tasks.runtime import PrefectRuntime
from undercard import settings
from undercard.errors import MixedFilm, NeedsReview, ShotsFailed, UndercardError
from undercard.hardware.probe import this_device
from undercard.production.options import RunOptions
from undercard.production.produce import handed_over, produce
from undercard.production.run import begin

P = ParamSpec("P")
T = TypeVar("T")

STATES: dict[type[UndercardError], str] = {
    NeedsReview: "Needs review",
    MixedFilm: "Mixed",
    ShotsFailed: "Shots failed",
}
"""What the state is called in which such a problem ends a run."""


def ending_in_a_state(body: Callable[P, T]) -> Callable[P, T]:
    """Let a flow whose *body* raises an error of undercard end in a state with its message, and log no traceback.

    Whoever calls the flow as a function gets the error raised.
    """

    @wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return body(*args, **kwargs)
        except UndercardError as exc:
            name = next((name for kind, name in STATES.items() if isinstance(exc, kind)), "Failed")
            # In a worker's process Prefect raises what the state holds once more, and logs it as unexpected.
            for logger in ("prefect.flow_runs", "prefect.engine"):
                logging.getLogger(logger).addFilter(_is_unexpected)
            # Prefect takes a state for what the flow came to, and never hands it to the flow's caller.
            return cast("T", Failed(message=str(exc), name=name, data=exc))

    # Prefect makes the form from them, and would look for the names in this module.
    run.__annotations__ = inspect.get_annotations(body, eval_str=True)
    run.__signature__ = inspect.signature(body, eval_str=True)  # type: ignore[attr-defined]  # functions may have one
    return run


def _is_unexpected(record: logging.LogRecord) -> bool:
    return record.exc_info is None or not isinstance(record.exc_info[1], UndercardError)


def carry_out(options: RunOptions) -> Path:
    """Make the film that *options* ask for, and return where it is.

    Raises:
        UndercardError: the film is not what was asked for, or there is none.
    """
    # The command line has checked and planned its run before a server was started for it.
    handover = handed_over(options)
    run = handover.run if handover is not None else begin(options, settings.load(), this_device)
    runtime = PrefectRuntime(run.results, run.folder.name)
    made = produce(run, runtime)
    if handover is not None:
        handover.made = made
    if runtime.listener.away:
        forget_events()
    if made.problem is not None or made.film is None:
        raise made.problem or AssertionError("a run without a problem has a film")
    return made.film.path


def run_name() -> str:
    """Return what people call the flow run that is beginning: its film, size and backend."""
    given = {key: value for key, value in flow_run.parameters.items() if value}
    given |= dict(given.pop("options", {}))
    about = [Path(str(given["shot_list"])).stem] if "shot_list" in given else []
    about += [str(given[key]) for key in ("film", "which", "size", "backend", "shots") if given.get(key)]
    return " · ".join([flow_run.flow_name or "run", *about])

"""How a task's result is kept: under a key that the step's arguments decide, and read from the store every time."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

from prefect import task
from prefect.logging import get_run_logger
from prefect.tasks import Task

from tasks.results import ResultSerializer

P = ParamSpec("P")
T = TypeVar("T")
Parameters: TypeAlias = dict[str, Any]
Key: TypeAlias = Callable[[Parameters], str]


def logged(step: Callable[P, T], report: Callable[[Any, T], None]) -> Callable[P, T]:
    """Return *step* as the body of a task: it calls *report* with the run's logger and the step's value."""

    @wraps(step)
    def body(*args: P.args, **kwargs: P.kwargs) -> T:
        value = step(*args, **kwargs)
        report(get_run_logger(), value)
        return value

    return body


def stored(step: Callable[P, T], report: Callable[[Any, T], None]) -> Task[P, T]:
    """Return a task that runs *step* unless a result is stored under the run's key; `report` logs what came of it."""
    decorate = task(
        persist_result=True,
        # A result is read from the store each time, so that a file that was removed since is noticed.
        cache_result_in_memory=False,
        result_serializer=ResultSerializer(),
    )
    return decorate(logged(step, report))

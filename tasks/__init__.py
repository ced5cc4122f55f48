"""Thin Prefect tasks over the library: cache keys, retries, run names, artifacts."""

from __future__ import annotations

from typing import TypeVar, cast

from prefect.utilities.annotations import quote

T = TypeVar("T")


def whole(argument: T) -> T:
    """Pass *argument* to a task as it is.

    Prefect walks through every argument in search of futures. A plan holds the whole shot list, and five hundred walks
    through it took longer than everything else in a run that renders nothing.
    """
    return cast("T", quote(argument))

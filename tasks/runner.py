"""The threads that a run's steps share: as many as this machine has use for."""

from __future__ import annotations

from typing import Any, Self, cast

from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from undercard import settings
from undercard.hardware.cores import cores
from undercard.hardware.probe import this_device


def machine_runner() -> TaskRunner[PrefectFuture[Any]]:
    """Return a runner for a flow that renders or encodes on this machine."""
    # Prefect's own annotations do not let its runner through.
    return cast("TaskRunner[PrefectFuture[Any]]", MachineTaskRunner())


class MachineTaskRunner(ThreadPoolTaskRunner[Any]):
    """A thread for each core that draws or encodes, or for each card, which gets one picture at a time.

    The machine is looked at when a flow run starts, not when the flow is imported.
    """

    def __enter__(self) -> Self:
        chosen = settings.load()
        self._max_workers = chosen.workers or max(cores(), len(this_device(chosen).gpus))
        return super().__enter__()

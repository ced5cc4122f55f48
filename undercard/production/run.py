"""One run of a shot list: planned once, with the manifest as it was when the run began."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from undercard.domain.timecode import parse_size
from undercard.errors import BadInput
from undercard.hardware.devices import Device
from undercard.hardware.probe import this_device
from undercard.planning.deliveries import wanted
from undercard.planning.plan import Plan, narrowed, output_folder, plan_film
from undercard.production import manifest
from undercard.production.records import KeyframeRecord
from undercard.production.options import RunOptions, find
from undercard.settings import Settings
from undercard.shotlist.load import load_shot_list

if TYPE_CHECKING:
    from undercard.production.produce import Outcome


@dataclass(frozen=True, slots=True)
class Run:
    """What is rendered, where it goes, and what earlier runs left there."""

    options: RunOptions
    settings: Settings
    plan: Plan
    folder: Path
    """Of the film and its manifest."""
    records: Mapping[str, KeyframeRecord]
    """By label: what the manifest said when the run began."""
    look: Callable[[], Device] = this_device
    """Returns the machine as it is at the moment."""

    @property
    def results(self) -> Path:
        """Where the small results of steps are kept, beside the files they speak of."""
        return self.settings.store_root / "results"

    @property
    def takes(self) -> int:
        """How many takes of a keyframe to try in this run."""
        return self.options.take_limit or self.settings.take_limit


def begin(options: RunOptions, settings: Settings, look: Callable[[], Device] = this_device) -> Run:
    """Read the shot list and the manifest, and plan what *options* ask for.

    Raises:
        BadShotList: the shot list has problems; all are named.
        BadInput: an option has a value that cannot be used.
        BackendUnavailable: the backend cannot run here.
    """
    plan = plan_film(
        load_shot_list(find(options.shot_list)),
        look(),
        backend=options.backend,
        exact=options.exact,
        size=parse_size(options.size) if options.size else None,
        shots=options.shots,
        start=options.start,
    )
    plan = replace(plan, deliveries=wanted(plan.shot_list, options.presets, options.shape))
    folder = output_folder(settings.store_root, plan)
    records = manifest.read_records(folder)
    if options.failed:
        failed = manifest.failed_shots(records, folder)
        shots = [shot for shot in plan.shots if shot.id in failed]
        if not shots:
            raise BadInput("no shot of the last run failed, so there is nothing to render again; leave out `failed`")
        plan = narrowed(plan, shots)
    return Run(options, settings, plan, folder, records, look)


@dataclass(slots=True)
class Handover:
    """A run that was begun before the flow that carries it out, and what came of it."""

    run: Run
    outcome: Outcome | None = None


_handover: ContextVar[Handover | None] = ContextVar("undercard_handover", default=None)


@contextmanager
def hand_over(run: Run) -> Iterator[Handover]:
    """Let the flow that starts inside this context carry out *run*: whoever checked it first planned it already."""
    given = Handover(run)
    token = _handover.set(given)
    try:
        yield given
    finally:
        _handover.reset(token)


def handed_over(options: RunOptions) -> Handover | None:
    """Return what was handed over to this flow, where it is the run of *options*."""
    given = _handover.get()
    return given if given is not None and given.run.options == options else None

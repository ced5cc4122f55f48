"""One run of a shot list: planned once, with the manifest as it was when the run began."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from undercard.domain.timecode import parse_size
from undercard.errors import BadInput
from undercard.hardware.devices import Device
from undercard.hardware.probe import this_device
from undercard.planning.deliveries import wanted
from undercard.planning.plan import Plan, narrowed, plan_film
from undercard.production import manifest
from undercard.production.film_folder import claim, ended_with_a_film, folder_of
from undercard.production.keyframes.takes import accepted_keyframes
from undercard.production.options import RunOptions, find
from undercard.production.records import KeyframeRecord
from undercard.production.runtime import Log
from undercard.production.turns import turn
from undercard.settings import Settings
from undercard.shotlist.load import load_shot_list
from undercard.shotlist.models import Shot


@dataclass(frozen=True, slots=True)
class Run:
    """What is rendered, where it goes, and what earlier runs left there."""

    options: RunOptions
    plan: Plan
    folder: Path
    """Of the film and its manifest."""
    records: Mapping[str, KeyframeRecord]
    """By label: what the manifest said when the run began."""
    look: Callable[[], Device]
    """Returns the machine as it is at the moment."""

    @property
    def settings(self) -> Settings:
        """Of the machine that it was planned for."""
        return self.plan.settings

    @property
    def results(self) -> Path:
        """Where the small results of steps are kept, beside the files they speak of."""
        return self.plan.store.root / "results"

    @property
    def takes(self) -> int:
        """How many takes of a keyframe to try in this run."""
        return self.options.take_limit or self.settings.take_limit


def begin(options: RunOptions, settings: Settings, look: Callable[[Settings], Device] = this_device) -> Run:
    """Read the shot list and the manifest, and plan what *options* ask for.

    Raises:
        BadShotList: the shot list has problems; all are named.
        BadInput: an option has a value that cannot be used.
        BackendUnavailable: the backend cannot run here.
    """
    path = find(options.shot_list)
    plan = plan_film(
        load_shot_list(path),
        look(settings),
        settings,
        backend=options.backend,
        exact=options.exact,
        size=parse_size(options.size) if options.size else None,
        shots=options.shots,
        start=options.start,
    )
    plan = replace(plan, deliveries=wanted(plan.shot_list, options.presets, options.shape))
    folder = folder_of(plan, path)
    records = manifest.read_records(folder, plan.store)
    if options.failed:
        left = [shot for shot in plan.shots if not _is_done(plan, shot, records)]
        if not left and ended_with_a_film(folder):
            raise BadInput(
                f"every shot in {folder} has its accepted keyframes, so there is nothing to render again; leave out"
                " `failed`, or render shots anew with `again`"
            )
        # A run that died after its last keyframe has left a film to cut.
        plan = narrowed(plan, left) if left else plan
    return Run(options, plan, folder, records, partial(look, settings))


def _is_done(plan: Plan, shot: Shot, records: Mapping[str, KeyframeRecord]) -> bool:
    keyframes = plan.keyframes(shot)
    return accepted_keyframes(keyframes, records, exact=plan.exact) == len(keyframes)


@contextmanager
def alone(run: Run, log: Log) -> Iterator[Run]:
    """Keep other runs of the same film out until the context ends; yield *run*, begun anew after a wait for another.

    Raises:
        BadInput: the other run left nothing to do for this one.
        StoreError: the film's folder cannot be written.
    """

    def again() -> Run:
        return begin(run.options, run.settings, lambda _settings: run.look())

    folder = claim(run.plan, run.options)
    # Another shot list of the same title was faster.
    run = run if folder == run.folder else again()
    with turn(folder / ".run", lambda: log.warning("waiting for another run of this film, in %s", folder)) as waited:
        yield again() if waited else run

"""Accepted keyframes → film, without rendering any: for a deployment of its own."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from tasks.runner import machine_runner
from tasks.runs import ending_in_a_state, run_name
from tasks.runtime import PrefectRuntime
from undercard import settings
from undercard.hardware.probe import this_device
from undercard.production.assembly.assemble import assemble as assemble_film
from undercard.production.keyframes.keyframe_set import KeyframeSet
from undercard.production.options import RunOptions
from undercard.production.run import alone, begin


@flow(name="assemble", flow_run_name=run_name, task_runner=machine_runner())
@ending_in_a_state
def assemble(options: RunOptions) -> Path:
    """Cut the film from the keyframes that earlier runs rendered, and return its path.

    Raises:
        ShotsFailed: no shot has all its keyframes.
        MixedFilm: its keyframes are of different kinds, which *options* do not allow.
        NeedsReview: the best take of a keyframe is one that the gate rejected and nobody has approved.
    """
    run = begin(options, settings.load(), this_device)
    runtime = PrefectRuntime(run.results, run.folder.name)
    with alone(run, runtime.log) as run:
        made = assemble_film(run, KeyframeSet(run.records), runtime)
    if made.problem is not None or made.film is None:
        raise made.problem or AssertionError("an assembly without a problem has a film")
    return made.film.path

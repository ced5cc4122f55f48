"""Shot list → accepted keyframes, without the film: for a deployment of its own."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from tasks.runner import machine_runner
from tasks.runs import ending_in_a_state, run_name
from tasks.runtime import PrefectRuntime
from undercard import settings
from undercard.hardware.probe import this_device
from undercard.production.film_folder import MANIFEST
from undercard.production.keyframes.keyframe_set import render_keyframes
from undercard.production.options import RunOptions
from undercard.production.run import alone, begin


@flow(name="keyframes", flow_run_name=run_name, task_runner=machine_runner())
@ending_in_a_state
def keyframes(options: RunOptions) -> Path:
    """Render the keyframes of a shot list until the gate accepts each, and return the manifest's path.

    Raises:
        ShotsFailed: some shots have a keyframe without any take; the manifest holds all that was made.
        NeedsReview: of some keyframes the gate accepted no take, and the best one is kept.
    """
    run = begin(options, settings.load(), this_device)
    runtime = PrefectRuntime(run.results, run.folder.name)
    with alone(run, runtime.log) as run:
        made = render_keyframes(run, runtime)
    if made.problem is not None:
        raise made.problem
    return run.folder / MANIFEST

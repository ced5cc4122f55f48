"""Shot list → film: the main job."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from tasks.runner import machine_runner
from tasks.runtime import PrefectRuntime
from undercard import settings
from undercard.hardware.probe import this_device
from undercard.planning.choose import AUTO
from undercard.production.options import BackendName, RunOptions
from undercard.production.produce import handed_over
from undercard.production.produce import produce as produce_film
from undercard.production.run import begin


@flow(name="produce", flow_run_name="produce · {shot_list}", task_runner=machine_runner())
def produce(
    shot_list: Path = Path("data/shots/title_fight.yaml"),
    backend: BackendName = AUTO,
    exact: bool = False,
    upgrade: bool = False,
    mixed: bool = False,
    size: str | None = None,
    shots: str | None = None,
    start: str | None = None,
    failed: bool = False,
    take_limit: int | None = None,
    presets: list[str] | None = None,
    shape: str = "whole",
    handles: bool = False,
) -> Path:
    """Render a shot list into a film, and return the film's path.

    What earlier runs made is used again: a second run renders nothing, and a run after an edit renders what it
    touches. A failing shot does not stop the others.

    Args:
        shot_list: YAML file with the shots; a relative path starts at the project's folder.
        backend: What renders the keyframes; `auto` takes the fastest that this machine has, else the previz.
        exact: Only accept exact bf16 Qwen-Image-Edit pixels.
        upgrade: Render again what was stepped down for want of memory, where a better rung fits now.
        mixed: Let the film have keyframes of renderers that give different pixels.
        size: WIDTHxHEIGHT in pixels; empty for the shot list's own.
        shots: Which shots to render, such as `3,7-9,jab`; empty for all.
        start: Number or id of the first shot to render.
        failed: Render only the shots that failed last time.
        take_limit: Takes of a keyframe before the best one is kept for review.
        presets: What to make of the film beside it, such as `hevc`; empty for what the shot list says.
        shape: In which shape: `whole`, `vertical` or `square`.
        handles: Write the film as whole shots with real transitions, too, for editors.

    Raises:
        ShotsFailed: some shots failed; the message names them, and all others are done.
        NeedsReview: every shot is done, and of some keyframes the gate accepted no take.
        MixedFilm: every shot is done, some on a rung of other pixels, and that was not allowed.
    """
    options = RunOptions(
        shot_list=shot_list,
        backend=backend,
        exact=exact,
        upgrade=upgrade,
        mixed=mixed,
        size=size or None,
        shots=shots or None,
        start=start or None,
        failed=failed,
        take_limit=take_limit,
        presets=tuple(presets or ()),
        shape=shape,
        handles=handles,
    )
    # The command line has checked and planned its run before a server was started for it.
    handover = handed_over(options)
    run = handover.run if handover is not None else begin(options, settings.load(), this_device)
    made = produce_film(run, PrefectRuntime(run.results))
    if handover is not None:
        handover.made = made
    if made.problem is not None or made.film is None:
        raise made.problem or AssertionError("a run without a problem has a film")
    return made.film.path

"""Shot list → film: the main job, the other flows in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from prefect import flow
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.assemble import assemble
from flows.keyframes import keyframes
from undercard import store
from undercard.domain import progress
from undercard.errors import MixedFilm, NeedsReview, ShotsFailed
from undercard.hardware.probe import this_device
from undercard.planning.choose import AUTO
from undercard.production import options
from undercard.production.assembly import pieces
from undercard.production.options import BackendName, RunOptions
from undercard.settings import load


@flow(name="produce", flow_run_name="produce · {shot_list}")
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
    run = RunOptions(
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
    plan = options.plan_run(run, this_device())
    store.sweep()
    # The second flow must see the same shots: after the first, none of them counts as failed any more.
    run = run.model_copy(
        update={"shots": ",".join(str(shot.number) for shot in plan.shots), "start": None, "failed": False}
    )
    if not plan.in_child:
        # What was chosen once stays: a card that comes or goes meanwhile is no reason to begin another film.
        run = run.model_copy(update={"backend": plan.backend})
    progress.current().expect(pieces.cost(plan))
    get_run_logger().info("%s: %d of %d shots", plan.shot_list.title, len(plan.shots), len(plan.shot_list.shots))
    # One for each core that draws or encodes; a card has its own queue, of which it is given one picture at a time.
    workers = load().workers or max(plan.device.cores, len(plan.device.gpus))
    # Prefect's own annotations do not let its runner through.
    runner = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=workers))
    failure: ShotsFailed | NeedsReview | None = None
    try:
        keyframes.with_options(task_runner=runner)(run)
    except (ShotsFailed, NeedsReview) as exc:
        failure = exc
    try:
        film = assemble.with_options(task_runner=runner)(run)
    except (ShotsFailed, NeedsReview, MixedFilm) as exc:
        # Where there is nothing to cut, why is what the keyframes said; a shot that failed is told before a mixture.
        # What needs review is told by the film, with where it lies.
        told = exc if isinstance(failure, NeedsReview) and isinstance(exc, NeedsReview) else failure or exc
        raise told from None
    if failure is not None:
        raise failure
    return film

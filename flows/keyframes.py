"""Shot list → accepted keyframes; owns the take and repair policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from prefect import flow
from prefect.logging import get_run_logger

from flows.rendering import Rendering
from flows.rounds import Rounds, offered
from undercard import __version__
from undercard.domain import progress
from undercard.errors import NeedsReview, ShotsFailed
from undercard.gate.critic.appointment import standing_judge
from undercard.gate.critic.hearing import hearing
from undercard.hardware.probe import this_device
from undercard.planning.ladder import Breaker, kind
from undercard.planning.plan import Plan
from undercard.production import manifest
from undercard.production.folders import folder_of, results_folder
from undercard.production.keyframes.pursuit import Pursuit, begin
from undercard.production.keyframes.upgrade import look_higher
from undercard.production.manifest import KeyframeRecord, Manifest
from undercard.production.options import RunOptions, plan_run
from undercard.production.sessions.lanes import lanes_of
from undercard.settings import load


@flow(name="keyframes", flow_run_name="keyframes · {run.shot_list.stem}")
def keyframes(run: RunOptions) -> Path:
    """Render the keyframes of a shot list until the gate accepts each, and return the manifest's path.

    Raises:
        ShotsFailed: some shots have a keyframe without any take; the manifest holds all that was made.
        NeedsReview: of some keyframes the gate accepted no take, and the best one is kept.
        BadInput: the settings name a judge who may not be asked.
    """
    plan = plan_run(run, this_device())
    folder = folder_of(plan)
    remembered, judge = manifest.remembered(folder), standing_judge()
    begun = partial(begin, takes=run.takes, exact=plan.exact, repairs=load().repair_limit, judge=judge)
    pursuits = [pursuit for shot in plan.filmed for pursuit in begun(plan.keyframes(shot), remembered)]
    with ExitStack() as stack:
        meter = progress.current()
        lanes = [stack.enter_context(lane) for lane in lanes_of(plan, this_device, meter)]
        if run.upgrade:
            look_higher(pursuits, offered(plan, lanes))
        rendering = Rendering(plan, lanes, meter, results_folder(), Breaker(load().rung_limit), _wanted(plan, pursuits))
        rounds = Rounds(plan, rendering, meter, results_folder(), stack.enter_context(hearing()))
        rounds.run(pursuits)
        if plan.in_child:
            # Whoever filled the card may have left; what failed for another cause is not tried again.
            look_higher(pursuits, offered(plan, lanes), fresh=True)
            rounds.run(pursuits)
    written = manifest.write(_manifest(plan, run, pursuits, remembered), folder)
    _raise_if_failed(plan, pursuits)
    return written


def _wanted(plan: Plan, pursuits: Sequence[Pursuit]) -> str | None:
    """Return the kind of pixels that most of the film has already, else what was asked for by name."""
    if plan.wanted is not None or not plan.in_child:
        return plan.wanted
    standing = [pursuit.accepted for pursuit in pursuits if pursuit.accepted is not None]
    kinds = Counter(kind(take.backend, exact=take.exact) for take in standing if take.backend in plan.backends)
    return kinds.most_common(1)[0][0] if kinds else None


def _manifest(
    plan: Plan, run: RunOptions, pursuits: Sequence[Pursuit], remembered: Mapping[str, KeyframeRecord]
) -> Manifest:
    """Put what this run made beside what earlier runs made of the shots that it left alone."""
    made = {pursuit.keyframe.label: pursuit.record for pursuit in pursuits}
    planned = [keyframe for shot in plan.shot_list.shots for keyframe in plan.keyframes(shot)]
    kept = {
        keyframe.label: remembered[keyframe.label]
        for keyframe in planned
        if keyframe.label in remembered and remembered[keyframe.label].key == keyframe.request(1).key
    }
    records = [made.get(keyframe.label) or kept.get(keyframe.label) for keyframe in planned]
    return Manifest(
        undercard=__version__,
        title=plan.shot_list.title,
        shot_list=str(run.shot_list),
        size=plan.size,
        fps=str(plan.shot_list.fps),
        backend=plan.family,
        keyframes=tuple(record for record in records if record is not None),
    )


def _raise_if_failed(plan: Plan, pursuits: Sequence[Pursuit]) -> None:
    unaccepted = [pursuit for pursuit in pursuits if pursuit.accepted is None]
    for pursuit in unaccepted:
        get_run_logger().error(pursuit.record.cause)
    failed = [pursuit for pursuit in unaccepted if pursuit.best is None]
    again = "run the same again with `failed` to render only these"
    if failed:
        raise ShotsFailed(f"{_told_of(plan, failed, 'failed')}; {again}")
    if unaccepted:
        raise NeedsReview(f"{_told_of(plan, unaccepted, 'need review')}; {again}, or `undercard approve` them")


def _told_of(plan: Plan, pursuits: Sequence[Pursuit], what: str) -> str:
    shots = dict.fromkeys(pursuit.keyframe.shot.id for pursuit in pursuits)
    causes = "; ".join(pursuit.record.cause for pursuit in pursuits[:3]) + (" …" if len(pursuits) > 3 else "")
    return f"{len(shots)} of {len(plan.shots)} shots {what}: {', '.join(shots)} ({causes})"

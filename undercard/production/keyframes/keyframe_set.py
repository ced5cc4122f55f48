"""All keyframes of a run: rendered until the gate accepts each, and written into the manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from undercard import __version__
from undercard.domain import progress
from undercard.errors import NeedsReview, ShotsFailed
from undercard.gate.critic.appointment import standing_judge
from undercard.gate.critic.hearing import hearing
from undercard.planning.ladder import Breaker, kind
from undercard.planning.plan import Plan
from undercard.production import manifest
from undercard.production.keyframes.pursuit import Pursuit, begin
from undercard.production.keyframes.rendering import Rendering
from undercard.production.keyframes.rounds import Rounds, offered
from undercard.production.keyframes.upgrade import look_higher
from undercard.production.records import KeyframeRecord, Manifest
from undercard.production.run import Run
from undercard.production.runtime import Runtime
from undercard.production.sessions.lanes import lanes_of


@dataclass(frozen=True, slots=True)
class KeyframeSet:
    """What the film is made of: the takes of every keyframe, from this run and from earlier ones."""

    records: Mapping[str, KeyframeRecord]
    """By label, as the manifest has them."""
    problem: ShotsFailed | NeedsReview | None = None
    """What kept a selected shot from being done; None where every one is."""


def render_keyframes(run: Run, runtime: Runtime) -> KeyframeSet:
    """Render the keyframes of *run* until the gate accepts each, and note them in the manifest.

    Raises:
        BadInput: the settings name a judge who may not be asked.
        StoreError: the manifest cannot be written.
    """
    plan, meter = run.plan, progress.current()
    start = partial(
        begin,
        takes=run.takes,
        exact=plan.exact,
        repairs=run.settings.repair_limit,
        judge=standing_judge(run.settings),
    )
    again = {shot.source for shot in plan.shots} if run.options.again else set()
    pursuits = [
        pursuit for shot in plan.filmed for pursuit in start(plan.keyframes(shot), run.records, again=shot.id in again)
    ]
    with ExitStack() as stack:
        lanes = [stack.enter_context(lane) for lane in lanes_of(plan, run.look, meter, runtime.log)]
        if run.options.upgrade:
            look_higher(pursuits, offered(plan, lanes))
        breaker = Breaker(run.settings.rung_limit)
        rendering = Rendering(plan, lanes, meter, runtime, breaker, _wanted(plan, pursuits))
        rounds = Rounds(plan, rendering, meter, runtime, stack.enter_context(hearing(run.settings)))
        rounds.run(pursuits)
        if plan.in_child and any(pursuit.tried for pursuit in pursuits):
            # Whoever filled the card may have left; what failed for another cause is not tried again.
            look_higher(pursuits, offered(plan, lanes), fresh=True)
            rounds.run(pursuits)
    return KeyframeSet(_write(run, pursuits), _problem(plan, pursuits, runtime))


def _wanted(plan: Plan, pursuits: Sequence[Pursuit]) -> str | None:
    """Return the kind of pixels that most of the film has already, else what was asked for by name."""
    if plan.wanted is not None or not plan.in_child:
        return plan.wanted
    standing = [pursuit.accepted for pursuit in pursuits if pursuit.accepted is not None]
    kinds = Counter(kind(take.backend, exact=take.exact) for take in standing if take.backend in plan.backends)
    return kinds.most_common(1)[0][0] if kinds else None


def _write(run: Run, pursuits: Sequence[Pursuit]) -> Mapping[str, KeyframeRecord]:
    plan = run.plan
    made = Manifest(
        undercard=__version__,
        title=plan.shot_list.title,
        shot_list=str(run.options.shot_list),
        size=plan.size,
        fps=str(plan.shot_list.fps),
        backend=plan.family,
        keyframes=tuple(pursuit.record for pursuit in pursuits),
    )
    planned = [(one.label, one.request(1).key) for shot in plan.shot_list.shots for one in plan.keyframes(shot)]
    return manifest.update_keyframes(run.folder, made, planned, run.records, plan.store)


def _problem(plan: Plan, pursuits: Sequence[Pursuit], runtime: Runtime) -> ShotsFailed | NeedsReview | None:
    unaccepted = [pursuit for pursuit in pursuits if pursuit.accepted is None]
    for pursuit in unaccepted:
        runtime.log.error(pursuit.record.cause)
    failed = [pursuit for pursuit in unaccepted if pursuit.best is None]
    again = "run the same again with `failed` to render only these"
    if failed:
        return ShotsFailed(f"{_count(plan, failed, 'failed')}; {again}")
    if unaccepted:
        return NeedsReview(f"{_count(plan, unaccepted, 'need review')}; {again}, or `undercard approve` them")
    return None


def _count(plan: Plan, pursuits: Sequence[Pursuit], what: str) -> str:
    shots = dict.fromkeys(pursuit.keyframe.shot.id for pursuit in pursuits)
    causes = "; ".join(pursuit.record.cause for pursuit in pursuits[:3]) + (" …" if len(pursuits) > 3 else "")
    return f"{len(shots)} of {len(plan.shots)} shots {what}: {', '.join(shots)} ({causes})"

"""Shot list → accepted keyframes; owns the take and repair policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from prefect import flow
from prefect.futures import PrefectFuture, as_completed
from prefect.logging import get_run_logger

from flows.rendering import Done, Rendering, outcome, told
from tasks import gate as gate_tasks
from tasks import keyframes as keyframe_tasks
from tasks import whole
from tasks.reports import ProgressBar
from undercard import __version__, manifest, progress
from undercard.conditioning import control_request
from undercard.devices import this_device
from undercard.errors import ShotsFailed
from undercard.gate import Exhibit
from undercard.ladder import Breaker, kind
from undercard.lanes import Lane, lanes_of
from undercard.manifest import Judged, KeyframeRecord, Manifest
from undercard.options import RunOptions, folder_of, plan_run, results_folder
from undercard.planning import Plan
from undercard.progress import Meter
from undercard.pursuit import Pursuit, begin, look_higher
from undercard.requests import RenderRequest, Take
from undercard.settings import load

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rounds:
    """The control images and sheets, then rounds of one take each over what the gate has not accepted yet.

    A round renders all that is pending before anything is judged: a backend that takes minutes to load, or that
    shares its card with the gate's networks, changes hands once a round and not once a keyframe.
    """

    plan: Plan
    rendering: Rendering
    meter: Meter
    results: Path

    def run(self, pursuits: Sequence[Pursuit]) -> None:
        """Render what is pending of *pursuits* until nothing is."""
        self.draw_controls([pursuit for pursuit in pursuits if pursuit.pending and pursuit.lacks_control])
        self.draw_sheets([pursuit for pursuit in pursuits if pursuit.pending and pursuit.lacks_sheets])
        while pending := [pursuit for pursuit in pursuits if pursuit.pending]:
            self.take(pending, pursuits)

    def draw_controls(self, pursuits: Sequence[Pursuit]) -> None:
        """Draw the control image of each of *pursuits*."""
        if not pursuits:
            return
        task = keyframe_tasks.draw_control.with_options(result_storage=self.results)
        self.meter.expect(self.plan.control_seconds * len(pursuits))
        self.meter.begin()
        bar = ProgressBar("keyframes", f"{self.plan.shot_list.title}: control images", len(pursuits))
        submitted = [
            (
                pursuit,
                task.submit(label=pursuit.keyframe.label, request=whole(control_request(pursuit.keyframe.request(1)))),
            )
            for pursuit in pursuits
        ]
        for done in self._gathered(submitted, self.plan.control_seconds, bar):
            done.pursuit.control = done.value

    def draw_sheets(self, pursuits: Sequence[Pursuit]) -> None:
        """Draw the character sheets that *pursuits* lack, each once."""
        asked: dict[RenderRequest, list[tuple[str, Pursuit]]] = {}
        for pursuit in pursuits:
            for likeness in pursuit.lacks_sheets:
                if likeness.sheet is not None:
                    asked.setdefault(likeness.sheet, []).append((likeness.fighter, pursuit))
        task = keyframe_tasks.draw_sheet.with_options(result_storage=self.results)
        self.meter.expect(self.plan.sheet_seconds * len(asked))
        submitted = [(task.submit(fighter=who[0][0], request=whole(request)), who) for request, who in asked.items()]
        for future, who in submitted:
            ended = outcome(future)
            sheet, error = ended
            cached = sheet is None or future.state.name == "Cached"
            (self.meter.skip if cached else self.meter.work)(self.plan.sheet_seconds, f"sheet of {who[0][0]}")
            for _, pursuit in who:
                if sheet is None:
                    pursuit.give_up(told(error))
                else:
                    pursuit.sheets = (*pursuit.sheets, sheet)

    def take(self, pursuits: Sequence[Pursuit], everyone: Sequence[Pursuit]) -> None:
        """Render the next take of each of *pursuits* and judge it; *everyone* holds the neighbours, too."""
        self._judge(self.rendering.render(pursuits), everyone)

    def _judge(self, rendered: Sequence[Done[Take]], everyone: Sequence[Pursuit]) -> None:
        """Let the gate see the new takes, a shot at a time."""
        task = gate_tasks.judge_shot.with_options(result_storage=self.results)
        newest = {pursuit.keyframe.label: pursuit.accepted for pursuit in everyone}
        newest |= {done.pursuit.keyframe.label: done.value for done in rendered}
        by_shot: dict[str, list[Done[Take]]] = {}
        for done in sorted(rendered, key=lambda done: done.pursuit.keyframe.index):
            by_shot.setdefault(done.pursuit.keyframe.shot.id, []).append(done)
        submitted = []
        for shot, takes in by_shot.items():
            exhibits = [_exhibit(done, everyone, newest) for done in takes]
            submitted.append((takes, task.submit(shot=shot, exhibits=whole(exhibits), size=whole(self.plan.size))))
        for takes, future in submitted:
            judged = outcome(future)
            verdicts, error = judged
            for number, done in enumerate(takes):
                if verdicts is None:
                    done.pursuit.give_up(told(error))
                else:
                    done.pursuit.judged.append(Judged(take=done.value, verdict=verdicts[number], cached=done.cached))

    def _gathered(
        self, submitted: Sequence[tuple[Pursuit, PrefectFuture[T]]], cost: float, bar: ProgressBar
    ) -> Iterator[Done[T]]:
        """Yield what the tasks made, as they finish; a failure is noted in its pursuit and yields nothing."""
        pursuits = {future: pursuit for pursuit, future in submitted}
        for future in as_completed([future for _, future in submitted]):
            pursuit = pursuits[future]
            ended = outcome(future)
            value, error = ended
            cached = future.state.name == "Cached"
            (self.meter.skip if cached or value is None else self.meter.work)(cost, pursuit.keyframe.label)
            bar.step()
            if value is None:
                pursuit.give_up(told(error))
            else:
                yield Done(pursuit, value, cached)


@flow(name="keyframes", flow_run_name="keyframes · {run.shot_list.stem}")
def keyframes(run: RunOptions) -> Path:
    """Render the keyframes of a shot list until the gate accepts each, and return the manifest's path.

    Raises:
        ShotsFailed: some shots have a keyframe without an accepted take; the manifest holds all that was made.
    """
    plan = plan_run(run, this_device())
    folder = folder_of(plan)
    remembered = manifest.remembered(folder)
    pursuits = [
        pursuit
        for shot in plan.filmed
        for pursuit in begin(plan.keyframes(shot), remembered, run.takes, exact=plan.exact)
    ]
    with ExitStack() as stack:
        meter = progress.current()
        lanes = [stack.enter_context(lane) for lane in lanes_of(plan, this_device, meter)]
        if run.upgrade:
            look_higher(pursuits, _offered(plan, lanes))
        rendering = Rendering(plan, lanes, meter, results_folder(), Breaker(load().rung_limit), _wanted(plan, pursuits))
        rounds = Rounds(plan, rendering, meter, results_folder())
        rounds.run(pursuits)
        if plan.in_child:
            # Whoever filled the card may have left; what failed for another cause is not tried again.
            look_higher(pursuits, _offered(plan, lanes), fresh=True)
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


def _offered(plan: Plan, lanes: Sequence[Lane]) -> frozenset[str]:
    """Return the kinds of pixels that a rung gives that fits a card now."""
    now = [rung for lane in lanes for rung in lane.ways(1, plan.wanted).now]
    return frozenset(kind(rung.backend, exact=rung.exact) for rung in now)


def _exhibit(done: Done[Take], everyone: Sequence[Pursuit], newest: Mapping[str, Take | None]) -> Exhibit:
    """Put a take beside the newest of the keyframe before it in the same shot, unless that is staged alike."""
    keyframe = done.pursuit.keyframe
    neighbours = [
        newest[other.keyframe.label]
        for other in everyone
        if other.keyframe.shot.id == keyframe.shot.id
        and other.keyframe.index == keyframe.index - 1
        and other.keyframe.staging != keyframe.staging
    ]
    neighbour = neighbours[0].picture if neighbours and neighbours[0] is not None else None
    return Exhibit(f"{keyframe.label} take {done.value.number}", done.value.picture, neighbour)


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
    failed = [pursuit for pursuit in pursuits if pursuit.accepted is None]
    for pursuit in failed:
        get_run_logger().error(pursuit.record.cause)
    if not failed:
        return
    shots = dict.fromkeys(pursuit.keyframe.shot.id for pursuit in failed)
    causes = "; ".join(pursuit.record.cause for pursuit in failed[:3]) + (" …" if len(failed) > 3 else "")
    raise ShotsFailed(
        f"{len(shots)} of {len(plan.shots)} shots failed: {', '.join(shots)} ({causes});"
        " run the same again with `failed` to render only these"
    )

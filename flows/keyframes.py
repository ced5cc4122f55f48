"""Shot list → accepted keyframes; owns the take and repair policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from prefect import flow
from prefect.futures import PrefectFuture, as_completed
from prefect.logging import get_run_logger

from tasks import gate as gate_tasks
from tasks import keyframes as keyframe_tasks
from tasks import whole
from tasks.reports import ProgressBar
from undercard import __version__, backends, gate, manifest, progress
from undercard.backends import Renderer
from undercard.devices import this_device
from undercard.errors import ShotsFailed, UndercardError
from undercard.gate import Exhibit
from undercard.keyframes import control_request, follows_itself
from undercard.manifest import Judged, KeyframeRecord, Manifest
from undercard.options import RunOptions, folder_of, plan_run, results_folder
from undercard.planning import Plan, PlannedKeyframe
from undercard.progress import Meter
from undercard.requests import Control, Take

T = TypeVar("T")


@dataclass(slots=True)
class Pursuit:
    """One keyframe on its way to an accepted take."""

    keyframe: PlannedKeyframe
    next_take: int
    last_take: int
    control: Control | None = None
    judged: list[Judged] = field(default_factory=list)
    error: str = ""

    @property
    def accepted(self) -> Take | None:
        """The take that the gate accepted."""
        return next((judged.take for judged in self.judged if judged.verdict.accepted), None)

    @property
    def pending(self) -> bool:
        """Neither accepted nor failed nor out of takes."""
        return not self.error and self.next_take <= self.last_take and self.accepted is None

    @property
    def record(self) -> KeyframeRecord:
        """What came of it."""
        return KeyframeRecord(
            label=self.keyframe.label,
            shot=self.keyframe.shot.id,
            frame=self.keyframe.frame,
            key=self.keyframe.request(1).key,
            gate=gate.REVISION,
            takes=tuple(self.judged),
            error=self.error,
        )


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What a task made for one keyframe."""

    pursuit: Pursuit
    value: T
    cached: bool


@dataclass(frozen=True, slots=True)
class Rounds:
    """The control images, then rounds of one take each over what the gate has not accepted yet.

    A round renders all that is pending before anything is judged: a backend that takes minutes to load, or that
    shares its card with the gate's networks, changes hands once a round and not once a keyframe.
    """

    plan: Plan
    renderer: Renderer
    meter: Meter
    results: Path

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

    def take(self, pursuits: Sequence[Pursuit], everyone: Sequence[Pursuit]) -> None:
        """Render the next take of each of *pursuits* and judge it; *everyone* holds the neighbours, too."""
        task = keyframe_tasks.render_keyframe.with_options(result_storage=self.results)
        self.meter.expect(self.plan.take_seconds * len(pursuits))
        self.meter.begin()
        bar = ProgressBar("keyframes", f"{self.plan.shot_list.title}: takes on {self.plan.backend}", len(pursuits))
        self.renderer.encode([pursuit.keyframe.request(pursuit.next_take) for pursuit in pursuits])
        submitted = []
        for pursuit in pursuits:
            number = pursuit.next_take
            pursuit.next_take += 1
            future = task.submit(
                label=pursuit.keyframe.label,
                number=number,
                backend=self.plan.backend,
                request=whole(pursuit.keyframe.request(number)),
                control=whole(pursuit.control),
                renderer=whole(self.renderer),
            )
            submitted.append((pursuit, future))
        rendered = list(self._gathered(submitted, self.plan.take_seconds, bar))
        self._judge(rendered, everyone)

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
            outcome = _outcome(future)
            verdicts, error = outcome
            for number, done in enumerate(takes):
                if verdicts is None:
                    done.pursuit.error = error
                else:
                    done.pursuit.judged.append(Judged(take=done.value, verdict=verdicts[number], cached=done.cached))

    def _gathered(
        self, submitted: Sequence[tuple[Pursuit, PrefectFuture[T]]], cost: float, bar: ProgressBar
    ) -> Iterator[Done[T]]:
        """Yield what the tasks made, as they finish; a failure is noted in its pursuit and yields nothing."""
        pursuits = {future: pursuit for pursuit, future in submitted}
        for future in as_completed([future for _, future in submitted]):
            pursuit = pursuits[future]
            outcome = _outcome(future)
            value, pursuit.error = outcome
            cached = future.state.name == "Cached"
            (self.meter.skip if cached or value is None else self.meter.work)(cost, pursuit.keyframe.label)
            bar.step()
            if value is not None:
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
    pursuits = [pursuit for shot in plan.shots for pursuit in _pursuits(plan.keyframes(shot), remembered, run.takes)]
    rung = backends.fastest(plan.backend, plan.work, plan.device)
    with backends.backend(plan.backend).open(plan.device, rung) as renderer:
        rounds = Rounds(plan, renderer, progress.current(), results_folder())
        rounds.draw_controls([p for p in pursuits if p.pending and not follows_itself(p.keyframe.request(1))])
        while pending := [pursuit for pursuit in pursuits if pursuit.pending]:
            rounds.take(pending, pursuits)
    written = manifest.write(_manifest(plan, run, pursuits, remembered), folder)
    _raise_if_failed(plan, pursuits)
    return written


def _pursuits(
    keyframes: Sequence[PlannedKeyframe], remembered: Mapping[str, KeyframeRecord], takes: int
) -> list[Pursuit]:
    """Begin one shot where the last run ended: accepted takes stand, and rejected ones are not tried again.

    A take stands for as long as its request, the gate, and the keyframe that it was compared with do.
    """
    pursuits = []
    standing = True
    for keyframe in keyframes:
        before = remembered.get(keyframe.label)
        key = keyframe.request(1).key
        standing = standing and before is not None and before.stands(key)
        first = _first_take(before) if before is not None and before.key == key else 1
        pursuit = Pursuit(keyframe, next_take=first, last_take=first + takes - 1)
        if standing and before is not None:
            pursuit.judged = [judged.model_copy(update={"cached": True}) for judged in before.takes]
        pursuits.append(pursuit)
    return pursuits


def _first_take(before: KeyframeRecord) -> int:
    if before.accepted is not None:
        return before.accepted.number
    return before.takes[-1].take.number + 1 if before.takes else 1


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


def _outcome(future: PrefectFuture[T]) -> tuple[T | None, str]:
    """Wait for a task and return what it made, or why it failed."""
    future.wait()
    if future.state.is_completed():
        return future.result(), ""
    error = future.state.result(raise_on_failure=False)
    return None, str(error) if isinstance(error, UndercardError) else f"{type(error).__name__}: {error}"


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
        backend=plan.backend,
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

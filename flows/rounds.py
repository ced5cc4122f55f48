"""Rounds of one take each over the keyframes of a run, with the repair of what the gate rejected between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from prefect.futures import PrefectFuture, as_completed
from prefect.logging import get_run_logger

from flows.rendering import Done, Rendering, outcome, told
from tasks import gate as gate_tasks
from tasks import keyframes as keyframe_tasks
from tasks import whole
from tasks.reports import ProgressBar
from undercard import backends
from undercard.domain.progress import Meter
from undercard.domain.requests import RenderRequest
from undercard.domain.takes import Take
from undercard.gate.contract import Verdict
from undercard.gate.critic.hearing import Hearing
from undercard.gate.evidence import Exhibit
from undercard.planning.keyframe import PlannedKeyframe
from undercard.planning.ladder import kind
from undercard.planning.plan import Plan
from undercard.production.keyframes.conditioning import control_request, pictures_of
from undercard.production.keyframes.pursuit import Pursuit
from undercard.production.manifest import Judged
from undercard.production.sessions.lanes import Lane

T = TypeVar("T")

EXACT = kind("", exact=True)
"""The kind of exact pixels."""


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
    hearing: Hearing | None = None
    """With the judge, where there is one."""

    def run(self, pursuits: Sequence[Pursuit]) -> None:
        """Render what is pending of *pursuits* until nothing is."""
        self.draw_controls([pursuit for pursuit in pursuits if pursuit.pending and pursuit.lacks_control])
        self.draw_sheets([pursuit for pursuit in pursuits if pursuit.pending and pursuit.lacks_sheets])
        while [pursuit for pursuit in pursuits if pursuit.pending]:
            self.repair(pursuits)
            if pending := [pursuit for pursuit in pursuits if pursuit.pending]:
                # A model for more steps is opened in place of the usual one: once a round, and not in turns.
                self.take(sorted(pending, key=lambda pursuit: pursuit.steps), pursuits)

    def repair(self, pursuits: Sequence[Pursuit]) -> None:
        """Decide of each of *pursuits* whose last take was rejected how the next one is made."""
        rejected = [pursuit for pursuit in pursuits if pursuit.pending and pursuit.rejected is not None]
        finer = bool(rejected) and self.plan.in_child and EXACT in offered(self.plan, self.rendering.lanes)
        for lacking in dict.fromkeys(pursuit.lacks_steps for pursuit in rejected):
            if lacking:
                get_run_logger().warning("what more steps might mend gets another seed: %s", lacking)
        for pursuit in rejected:
            before = _before(pursuit.keyframe, pursuits)
            pursuit.repair(before.accepted if before else None, finer=finer)
            for repair in pursuit.approach.repairs:
                if repair.after == pursuit.next_take - 1:
                    get_run_logger().info("%s: %s, because it is %s", pursuit.keyframe.label, repair, repair.cause)

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
        newest = {pursuit.keyframe.label: pursuit.best for pursuit in everyone}
        newest |= {done.pursuit.keyframe.label: done.value for done in rendered}
        by_shot: dict[str, list[Done[Take]]] = {}
        for done in sorted(rendered, key=lambda done: done.pursuit.keyframe.index):
            by_shot.setdefault(done.pursuit.keyframe.shot.id, []).append(done)
        shown = {shot: [_exhibit(done, everyone, newest) for done in takes] for shot, takes in by_shot.items()}
        size = whole(self.plan.size)
        futures = {
            shot: task.submit(shot=shot, exhibits=whole(exhibits), size=size) for shot, exhibits in shown.items()
        }
        heard = {}
        for shot, future in futures.items():
            judged = outcome(future)
            verdicts, error = judged
            if verdicts is None or self.hearing is None or not any(verdict.accepted for verdict in verdicts):
                _note(by_shot[shot], verdicts, error)
                continue
            heard[shot] = gate_tasks.hear_judge.submit(
                shot=shot,
                exhibits=whole(shown[shot]),
                size=size,
                verdicts=whole(verdicts),
                hearing=whole(self.hearing),
            )
        for shot, future in heard.items():
            after = outcome(future)
            _note(by_shot[shot], *after)

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


def offered(plan: Plan, lanes: Sequence[Lane]) -> frozenset[str]:
    """Return the kinds of pixels that a rung gives that fits a card now."""
    now = [rung for lane in lanes for rung in lane.ways(1, plan.wanted).now]
    return frozenset(kind(rung.backend, exact=rung.exact) for rung in now)


def _note(takes: Sequence[Done[Take]], verdicts: Sequence[Verdict] | None, error: BaseException | None) -> None:
    """Put what the gate says of the takes of a shot into their pursuits."""
    for number, done in enumerate(takes):
        if verdicts is None:
            done.pursuit.give_up(told(error))
        else:
            done.pursuit.judged.append(Judged(take=done.value, verdict=verdicts[number], cached=done.cached))


def _before(keyframe: PlannedKeyframe, everyone: Sequence[Pursuit]) -> Pursuit | None:
    """Return the pursuit of the keyframe before *keyframe* in its shot."""
    place = keyframe.shot.id, keyframe.index - 1
    return next((other for other in everyone if (other.keyframe.shot.id, other.keyframe.index) == place), None)


def _exhibit(done: Done[Take], everyone: Sequence[Pursuit], newest: Mapping[str, Take | None]) -> Exhibit:
    """Put a take beside what it was drawn from, its earlier takes, and the newest of the keyframe before it."""
    take, keyframe = done.value, done.pursuit.keyframe
    other = _before(keyframe, everyone)
    before = newest[other.keyframe.label] if other is not None else None
    differs = other is not None and other.keyframe.staging != keyframe.staging
    prompted = backends.backend(take.backend).prompted
    # One of the same seed is meant to resemble this one, and so are all of a backend that follows the staging itself.
    takes = (judged.take for judged in done.pursuit.judged if prompted and judged.take.draw != take.draw)
    return Exhibit(
        label=f"{keyframe.label} take {take.number}",
        picture=take.picture,
        neighbour=before.picture if before is not None and differs else None,
        before=before.picture if before is not None else None,
        before_control=before.control if before is not None else None,
        takes=tuple(earlier.picture for earlier in takes),
        control=take.control,
        references=pictures_of(keyframe.likenesses, take.sheets) if prompted else (),
        staging=keyframe.staging,
        backend=take.backend,
    )

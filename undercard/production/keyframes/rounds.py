"""Rounds of one take each over the keyframes of a run, with the repair of what the gate rejected between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from undercard import backends
from undercard.domain.progress import Meter
from undercard.domain.requests import RenderRequest, Sheet
from undercard.domain.takes import Take
from undercard.gate.contract import Verdict
from undercard.gate.critic.hearing import Hearing, hear_judge
from undercard.gate.evidence import Exhibit
from undercard.gate.judging import judge_exhibits
from undercard.planning.keyframe import PlannedKeyframe
from undercard.planning.ladder import kind
from undercard.planning.plan import Plan
from undercard.production.keyframes.conditioning import control_request, draw_control, draw_sheet, pictures_of
from undercard.production.keyframes.pursuit import Pursuit
from undercard.production.keyframes.rendering import Done, Rendering
from undercard.production.records import Judged
from undercard.production.runtime import Ended, Pending, Runtime, as_ended, describe
from undercard.production.sessions.lanes import Lane
from undercard.store import Store

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
    runtime: Runtime
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
                self.runtime.log.warning("what more steps might mend gets another seed: %s", lacking)
        for pursuit in rejected:
            before = _before(pursuit.keyframe, pursuits)
            pursuit.repair(before.accepted if before else None, finer=finer)
            for repair in pursuit.approach.repairs:
                if repair.after == pursuit.next_take - 1:
                    self.runtime.log.info("%s: %s, because it is %s", pursuit.keyframe.label, repair, repair.cause)

    def draw_controls(self, pursuits: Sequence[Pursuit]) -> None:
        """Draw the control image of each of *pursuits*."""
        if not pursuits:
            return
        self.meter.expect(self.plan.control_seconds * len(pursuits))
        self.meter.begin()
        bar = self.runtime.bar("keyframes", f"{self.plan.shot_list.title}: control images", len(pursuits))
        drawing = {}
        for pursuit in pursuits:
            request = control_request(pursuit.keyframe.request(1))
            name = f"{pursuit.keyframe.label} · control"
            drawing[self.runtime.submit(name, (), draw_control, request=request, store=self.plan.store)] = pursuit
        for step in as_ended(list(drawing)):
            pursuit, ended = drawing[step], step.ended()
            passed_over = ended.cached or ended.value is None
            (self.meter.skip if passed_over else self.meter.work)(self.plan.control_seconds, pursuit.keyframe.label)
            bar.step()
            pursuit.control = ended.value
            if ended.value is None:
                pursuit.give_up(describe(ended.error))

    def draw_sheets(self, pursuits: Sequence[Pursuit]) -> None:
        """Draw the character sheets that *pursuits* lack, each once."""
        asked: dict[RenderRequest, list[tuple[str, Pursuit]]] = {}
        for pursuit in pursuits:
            for likeness in pursuit.lacks_sheets:
                if likeness.sheet is not None:
                    asked.setdefault(likeness.sheet, []).append((likeness.fighter, pursuit))
        self.meter.expect(self.plan.sheet_seconds * len(asked))
        drawing = [(self._sheet(who[0][0], request), who) for request, who in asked.items()]
        for step, who in drawing:
            ended = step.ended()
            passed_over = ended.cached or ended.value is None
            (self.meter.skip if passed_over else self.meter.work)(self.plan.sheet_seconds, f"sheet of {who[0][0]}")
            for _, pursuit in who:
                if ended.value is None:
                    pursuit.give_up(describe(ended.error))
                else:
                    pursuit.sheets = (*pursuit.sheets, ended.value)

    def _sheet(self, fighter: str, request: RenderRequest) -> Pending[Sheet]:
        name = f"{fighter} · sheet"
        return self.runtime.submit(name, (), draw_sheet, fighter=fighter, request=request, store=self.plan.store)

    def take(self, pursuits: Sequence[Pursuit], everyone: Sequence[Pursuit]) -> None:
        """Render the next take of each of *pursuits* and judge it; *everyone* holds the neighbours, too."""
        self._judge(self.rendering.render(pursuits), everyone)

    def _judge(self, rendered: Sequence[Done[Take]], everyone: Sequence[Pursuit]) -> None:
        """Let the gate see the new takes, a shot at a time."""
        newest = {pursuit.keyframe.label: pursuit.best for pursuit in everyone}
        newest |= {done.pursuit.keyframe.label: done.value for done in rendered}
        by_shot: dict[str, list[Done[Take]]] = {}
        for done in sorted(rendered, key=lambda done: done.pursuit.keyframe.index):
            by_shot.setdefault(done.pursuit.keyframe.shot.id, []).append(done)
        shown = {
            shot: [_exhibit(done, everyone, newest, self.plan.store) for done in takes]
            for shot, takes in by_shot.items()
        }
        judging = {
            shot: self.runtime.submit(
                f"{shot} · gate",
                [done.step for done in by_shot[shot]],
                judge_exhibits,
                exhibits=exhibits,
                size=self.plan.size,
                store=self.plan.store,
            )
            for shot, exhibits in shown.items()
        }
        hearing = {}
        for shot, step in judging.items():
            judged = step.ended()
            if judged.value is None or self.hearing is None or not any(one.accepted for one in judged.value):
                _note(by_shot[shot], judged)
                continue
            hearing[shot] = self.runtime.submit(
                f"{shot} · judge",
                [step],
                hear_judge,
                hearing=self.hearing,
                verdicts=judged.value,
                exhibits=shown[shot],
                size=self.plan.size,
            )
        for shot, heard in hearing.items():
            _note(by_shot[shot], heard.ended())


def offered(plan: Plan, lanes: Sequence[Lane]) -> frozenset[str]:
    """Return the kinds of pixels that a rung gives that fits a card now."""
    now = [rung for lane in lanes for rung in lane.ways(1, plan.wanted).now]
    return frozenset(kind(rung.backend, exact=rung.exact) for rung in now)


def _note(takes: Sequence[Done[Take]], judged: Ended[list[Verdict]]) -> None:
    """Put what the gate says of the takes of a shot into their pursuits."""
    for number, done in enumerate(takes):
        if judged.value is None:
            done.pursuit.give_up(describe(judged.error))
        else:
            done.pursuit.judged.append(Judged(take=done.value, verdict=judged.value[number], cached=done.cached))


def _before(keyframe: PlannedKeyframe, everyone: Sequence[Pursuit]) -> Pursuit | None:
    """Return the pursuit of the keyframe before *keyframe* in its shot."""
    place = keyframe.shot.id, keyframe.index - 1
    return next((other for other in everyone if (other.keyframe.shot.id, other.keyframe.index) == place), None)


def _exhibit(done: Done[Take], everyone: Sequence[Pursuit], newest: Mapping[str, Take | None], store: Store) -> Exhibit:
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
        references=pictures_of(keyframe.likenesses, take.sheets, store) if prompted else (),
        staging=keyframe.staging,
        backend=take.backend,
        draws_itself=backends.backend(take.backend).draws_itself,
    )

"""Takes of many keyframes on the rungs that the cards have; what runs out of memory goes down the ladder."""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from undercard.backends import Rung
from undercard.domain.progress import Meter
from undercard.domain.requests import RenderRequest
from undercard.domain.takes import Attempt, Outcome, Take
from undercard.errors import BackendError
from undercard.planning.ladder import Breaker, GiveUp, Step, Tried, Use, Ways, kind, next_step, outcome_of
from undercard.planning.plan import Plan
from undercard.production.keyframes.pursuit import Pursuit
from undercard.production.keyframes.takes import ended_at, failed_attempt, render_take
from undercard.production.runtime import Bar, Pending, Runtime, describe
from undercard.production.sessions.lanes import Lane

T = TypeVar("T")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 15.0


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What a step made for one keyframe."""

    pursuit: Pursuit
    value: T
    cached: bool
    step: Pending[T]


@dataclass(slots=True)
class Rendering:
    """Hands out keyframes to lanes from one queue.

    A lane stays on its rung for as long as there are keyframes for it, so that a model is loaded once a rung. Each
    attempt is a step of its own, named by its rung, so that people see which rung failed and which gave the picture.
    """

    plan: Plan
    lanes: Sequence[Lane]
    meter: Meter
    runtime: Runtime
    breaker: Breaker
    wanted: str | None
    """The kind of pixels that the film has, once it has one."""
    waiting: list[Pursuit] = field(default_factory=list)
    running: dict[Pending[Take], tuple[Lane, Rung, Pursuit]] = field(default_factory=dict)
    finished: queue.SimpleQueue[Pending[Take]] = field(default_factory=queue.SimpleQueue)
    waited_seconds: float = 0.0
    """For a card, since there was last a picture of the kind that was waited for."""
    pause_seconds: float = FIRST_PAUSE_SECONDS

    def render(self, pursuits: Sequence[Pursuit]) -> list[Done[Take]]:
        """Render the next take of each of *pursuits*; what fails for good is noted in its pursuit."""
        self.waiting = list(pursuits)
        title = f"{self.plan.shot_list.title}: takes on {self.plan.backend}"
        bar = self.runtime.bar("keyframes", title, len(pursuits))
        self.meter.expect(self.plan.take_seconds * len(pursuits))
        self.meter.begin()
        for lane in self.lanes:
            if lane.rung is not None and lane.renderer is not None:
                lane.renderer.encode(self._announced(lane.rung))
        done = []
        while self.waiting or self.running:
            for lane in self.lanes:
                self._fill(lane)
            if not self.running:
                self._settle(bar)
                continue
            one = self._finish(self.finished.get(), bar)
            if one is not None:
                done.append(one)
        return done

    def _fill(self, lane: Lane) -> None:
        """Start what the lane has room for: first what its open rung can render, then whatever another one can."""
        while self.waiting and lane.has_room:
            ways = lane.ways(len(self.waiting), self.wanted)
            steps = ((pursuit, self._step(pursuit, ways)) for pursuit in self.waiting)
            first: tuple[Pursuit, Rung] | None = None
            for pursuit, step in steps:
                if not isinstance(step, Use):
                    continue
                if lane.rung is None or step.rung.label == lane.rung.label:
                    first = pursuit, step.rung
                    break
                first = first or (pursuit, step.rung)
            if first is None:
                return
            self._start(lane, *first)

    def _step(self, pursuit: Pursuit, ways: Ways) -> Step:
        if pursuit.is_choosy:
            # A take that there is needs neither patience nor a last resort.
            ways = Ways(now=tuple(rung for rung in ways.now if pursuit.takes_to(rung)))
        return next_step(
            ways,
            pursuit.tried,
            closed=self.breaker.closed,
            attempt_limit=self.plan.settings.attempt_limit,
            patient=self.waited_seconds < self.plan.settings.busy_seconds,
        )

    def _start(self, lane: Lane, pursuit: Pursuit, rung: Rung) -> None:
        """Submit the next take of *pursuit* on *rung* of *lane*."""
        if lane.rung is None or lane.rung.label != rung.label:
            renderer = lane.take_up(rung)
            self.runtime.log.info("%s: %d keyframes left", rung.label, len(self.waiting))
            renderer.encode(self._announced(rung))
        renderer = lane.take_up(rung)
        if rung.backend not in self.plan.backends and not pursuit.attempts:
            pursuit.attempts.append(self._excuse(lane))
        self.waiting.remove(pursuit)
        lane.running += 1
        lane.label = pursuit.keyframe.label
        step = self.runtime.submit(
            f"{pursuit.keyframe.label} · take {pursuit.next_take} · {rung.label}",
            (),
            render_take,
            request=pursuit.request_on(rung),
            number=pursuit.next_take,
            rung=rung,
            renderer=renderer,
            control=pursuit.control,
            store=self.plan.store,
            attempts=tuple(pursuit.attempts),
            sheets=pursuit.sheets,
            approach=pursuit.approach,
        )
        self.running[step] = lane, rung, pursuit
        step.add_done_callback(self.finished.put)

    def _announced(self, rung: Rung) -> list[RenderRequest]:
        return [pursuit.request_on(rung) for pursuit in self.waiting]

    def _excuse(self, lane: Lane) -> Attempt:
        """Say why no rung of the model was even tried for a keyframe that the previz draws."""
        later = lane.ways(len(self.waiting), self.wanted).later
        awaited = later[0] if later else None
        return Attempt(
            rung=awaited.label if awaited else self.plan.backend,
            backend=awaited.backend if awaited else self.plan.backend,
            exact=awaited.exact if awaited else self.plan.exact,
            outcome="device busy" if awaited else "failed",
            stage="open",
            detail=f"other processes fill the card; {self.waited_seconds:.0f} s were waited"
            if awaited
            else "no rung is open any more: each failed keyframe after keyframe, or does not fit this machine",
        )

    def _finish(self, step: Pending[Take], bar: Bar) -> Done[Take] | None:
        """Note what came of a step: a take, a step down, or a failure."""
        lane, rung, pursuit = self.running.pop(step)
        lane.running -= 1
        ended = step.ended()
        take, error, cached = ended.value, ended.error, ended.cached
        if isinstance(error, BackendError):
            pursuit.attempts.append(failed_attempt(rung, error))
        if error is not None and outcome_of(error) != "failed":
            self.runtime.log.warning("%s on %s: %s", pursuit.keyframe.label, rung.label, error)
            self._note(rung, pursuit, outcome_of(error))
            self.waiting.append(pursuit)
            return None
        (self.meter.skip if cached or take is None else self.meter.work)(self.plan.take_seconds, pursuit.keyframe.label)
        bar.step()
        if take is None:
            pursuit.give_up(describe(error))
            return None
        if not cached:
            self._note(rung, pursuit, "rendered")
        if rung.backend in self.plan.backends:
            found = kind(rung.backend, exact=rung.exact)
            self.wanted = found if self.wanted is None else self.wanted
            if found == self.wanted:
                self.waited_seconds, self.pause_seconds = 0.0, FIRST_PAUSE_SECONDS
        take = ended_at(take, pursuit.attempts, pursuit.approach)
        pursuit.attempts = []
        pursuit.next_take += 1
        return Done(pursuit, take, cached, step)

    def _note(self, rung: Rung, pursuit: Pursuit, found: Outcome) -> None:
        tried = Tried(rung, found)
        pursuit.tried.append(tried)
        self.breaker.note(tried)

    def _settle(self, bar: Bar) -> None:
        """Give up the keyframes that no lane can render, and wait for a card while there are others."""
        looks = [lane.ways(len(self.waiting), self.wanted) for lane in self.lanes]
        for pursuit in list(self.waiting):
            steps = [self._step(pursuit, ways) for ways in looks]
            if all(isinstance(step, GiveUp) for step in steps):
                self.waiting.remove(pursuit)
                pursuit.give_up("; ".join(dict.fromkeys(step.reason for step in steps if isinstance(step, GiveUp))))
                self.meter.skip(self.plan.take_seconds, pursuit.keyframe.label)
                bar.step()
            elif any(isinstance(step, Use) for step in steps):
                # The card came free between two looks.
                return
        if self.waiting:
            self._wait(looks)

    def _wait(self, looks: Sequence[Ways]) -> None:
        awaited = next(rung for ways in looks for rung in ways.later)
        if not self.waited_seconds:
            self.runtime.log.warning("waiting for another process to leave the card to %s", awaited.label)
        self.meter.say(f"waiting for the card · {awaited.label}")
        time.sleep(self.pause_seconds)
        self.waited_seconds += self.pause_seconds
        self.pause_seconds = min(LONGEST_PAUSE_SECONDS, 2 * self.pause_seconds)

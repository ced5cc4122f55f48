"""A keyframe on its way to an accepted take: where the last run left it, and what it was tried on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from undercard import backends
from undercard.backends import Rung
from undercard.domain.requests import MOST_STEPS, Control, RenderRequest, Sheet
from undercard.domain.takes import Approach, Attempt, Remedy, Take
from undercard.gate.critic.opinions import holds
from undercard.gate.judging import REVISION
from undercard.gate.repairs import REMEDIES, Means, next_draw, repairs_for, treatment
from undercard.models import lightning, weights
from undercard.planning.keyframe import PlannedKeyframe
from undercard.planning.ladder import Tried, kind
from undercard.production.keyframes.conditioning import control_request, follows_itself, lacking
from undercard.production.keyframes.takes import accepted_take, asked
from undercard.production.records import Judged, KeyframeRecord, best_of
from undercard.shotlist import prompts
from undercard.shotlist.likeness import Likeness

SHOT_SPENT = "its shot has had all the repaired takes that a run may spend on one"
NOTHING_LEFT = "there is nothing left to try about that"


@dataclass(slots=True)
class Budget:
    """How many takes a run may still spend on one shot beside the first of each keyframe."""

    left: int


@dataclass(slots=True)
class Pursuit:
    """One keyframe on its way to an accepted take."""

    keyframe: PlannedKeyframe
    next_take: int
    last_take: int
    first_take: int = 1
    """Of this run."""
    exact: bool = False
    """Only a take of exact pixels ends it."""
    budget: Budget = field(default_factory=lambda: Budget(0))
    """Shared by the keyframes of its shot."""
    approach: Approach = field(default_factory=lambda: Approach(draw=1))
    """How the next take is made."""
    control: Control | None = None
    sheets: tuple[Sheet, ...] = ()
    """Of the fighters in it, where the user has no picture of them."""
    judged: list[Judged] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    """What its takes were tried on in this run."""
    attempts: list[Attempt] = field(default_factory=list)
    """The same since the last picture, as the next take will record it."""
    bettered: Take | None = None
    """An accepted take that a better one is to follow."""
    better_kinds: frozenset[str] | None = None
    """What would be better than it; None where any other take would."""
    error: str = ""
    ended: str = ""
    """Why there is no other take, where none was accepted."""

    @property
    def accepted(self) -> Take | None:
        """The newest take that was accepted and that is what was asked for."""
        takes = (judged.take for judged in reversed(self.judged) if judged.stands)
        return next((take for take in takes if take.exact or not self.exact), None)

    @property
    def best(self) -> Take | None:
        """The accepted take, else the best one that the gate rejected; of exact pixels, where those were asked for."""
        found = best_of(judged for judged in self.judged if judged.take.exact or not self.exact)
        return self.accepted or (found.take if found is not None else None)

    @property
    def pending(self) -> bool:
        """Neither accepted nor failed nor out of takes."""
        if self.error or self.ended or self.next_take > self.last_take:
            return False
        return self.accepted in (None, self.bettered)

    @property
    def rejected(self) -> Judged | None:
        """The last take, where the gate rejected it: the next one is to be made otherwise."""
        last = self.judged[-1] if self.judged else None
        return last if last and not last.stands and last.take.number == self.next_take - 1 else None

    def repair(self, neighbour: Take | None, *, finer: bool) -> None:
        """Decide how the take after a rejected one is made, or that there is none.

        Args:
            neighbour: the accepted take of the keyframe before it in the same shot.
            finer: a rung of exact pixels fits now.
        """
        rejected = self.rejected
        if rejected is None:
            return
        means = self._means(rejected.take, neighbour, finer=finer)
        repairs = repairs_for(rejected.verdict, rejected.take.number, self.approach.repairs, means)
        # The first take of a run is nobody's to refuse, or a run after one that spent all would do nothing.
        price = int(self.next_take > self.first_take)
        if not repairs or self.budget.left < price:
            self._stop(SHOT_SPENT if repairs else NOTHING_LEFT)
            return
        self.budget.left -= price
        shown = neighbour is not None and any(one.remedy is Remedy.NEIGHBOUR_SHOWN for one in repairs)
        self.approach = Approach(
            draw=next_draw(repairs, means),
            repairs=(*self.approach.repairs, *repairs),
            neighbour=neighbour.picture if neighbour and shown else self.approach.neighbour,
        )

    @property
    def lacks_steps(self) -> str:
        """Why the take that was rejected cannot be made in more steps, which its fault would ask for; empty else."""
        rejected = self.rejected
        if rejected is None or "steps" in backends.heeded(rejected.take.backend, self.keyframe.settings):
            return ""
        asked_for = any(Remedy.MORE_STEPS in REMEDIES[fault] for fault in rejected.verdict.faults)
        return lightning.lacking(rejected.take.backend, MOST_STEPS, self.keyframe.settings) if asked_for else ""

    def _means(self, take: Take, neighbour: Take | None, *, finer: bool) -> Means:
        keyframe = self.keyframe
        return Means(
            prompted=backends.backend(take.backend).prompted,
            heeds=backends.heeded(take.backend, keyframe.settings),
            tiled=bool(take.attempts) and (take.attempts[-1].sparing or take.attempts[-1].tiled),
            steps=weights.steps(take.backend, keyframe.settings),
            finer=finer and not take.exact,
            control=keyframe.control,
            renumbers=keyframe.shot_list is not None and prompts.counts_its_pictures(keyframe.shot_list),
            knows_somebody=bool(keyframe.likenesses),
            draw=take.draw,
            drawn=max(judged.take.draw for judged in self.judged),
            neighbours_draw=neighbour.draw if neighbour is not None else 0,
        )

    def take_again(self, accepted: Take, takes: int) -> None:
        """Render up to *takes* more, with seeds of their own; *accepted* stands until one of them is accepted."""
        self.bettered = accepted
        self.next_take = max(judged.take.number for judged in self.judged) + 1
        self.first_take, self.last_take = self.next_take, self.next_take + takes - 1
        self.approach = Approach(draw=max(judged.take.draw for judged in self.judged) + 1)
        if accepted.control.key == accepted.key:
            # The previz draws a control image of each seed.
            self.control = None

    def _stop(self, reason: str) -> None:
        """Render it no more, for *reason*: the best take is kept, or the one that was to be bettered."""
        if self.bettered is None:
            self.ended = reason
        self.last_take = self.next_take - 1

    def give_up(self, reason: str) -> None:
        """Render it no more: it failed for *reason*, or keeps the take it has."""
        if self.bettered is None:
            self.error = reason
        self.last_take = self.next_take - 1

    def request_on(self, rung: Rung) -> RenderRequest:
        """Return what *rung* is to render for the next take."""
        return asked(self.keyframe, rung.backend, self.approach, self.control, self.sheets, exact=rung.exact)

    @property
    def lacks_control(self) -> bool:
        """Its control image is still to be drawn, before a model can render it."""
        return self.control is None and not follows_itself(self.keyframe.request(1))

    @property
    def lacks_sheets(self) -> tuple[Likeness, ...]:
        """Whose character sheets are still to be drawn."""
        return tuple(lacking(self.keyframe.likenesses, self.sheets))

    @property
    def steps(self) -> int:
        """Denoising steps of the next take; 0 for the usual ones."""
        return treatment(self.approach.repairs, self.keyframe.control).steps

    @property
    def is_choosy(self) -> bool:
        """Not every rung will do for the next take: it is to be better, or more precise, than one that there is."""
        return self.better_kinds is not None or needs_precision(self.approach)

    def takes_to(self, rung: Rung) -> bool:
        """Say whether *rung* gives what is looked for."""
        if not rung.exact and needs_precision(self.approach):
            return False
        return self.better_kinds is None or kind(rung.backend, exact=rung.exact) in self.better_kinds

    @property
    def record(self) -> KeyframeRecord:
        """What came of it."""
        return KeyframeRecord(
            label=self.keyframe.label,
            shot=self.keyframe.shot.id,
            frame=self.keyframe.frame,
            key=self.keyframe.request(1).key,
            gate=REVISION,
            takes=tuple(self.judged),
            error=self.error,
            ended=self.ended,
        )


def begin(
    keyframes: Sequence[PlannedKeyframe],
    remembered: Mapping[str, KeyframeRecord],
    takes: int,
    *,
    exact: bool,
    repairs: int = 1_000_000,
    judge: str = "",
    again: bool = False,
) -> list[Pursuit]:
    """Begin one shot where the last run ended: accepted takes stand, and rejected ones are not tried again.

    A take stands for as long as its request, the gate with its judge, and the keyframe that it was compared with do;
    one that was approved by hand, for as long as its request does. One that stands but is not exact, where that is
    asked for, is rendered again with its own seed. After a rejected take comes the one that repairs it, in this run as
    in the last.

    Args:
        keyframes: of the shot, in its order.
        remembered: what earlier runs made.
        takes: of a keyframe in this run, at most.
        exact: only exact pixels end a pursuit.
        repairs: takes of the whole shot in this run, beside the first of each keyframe, at most.
        judge: who is heard about what every check lets pass; empty for nobody.
        again: render another take of what was accepted, with another seed.
    """
    pursuits = []
    budget = Budget(repairs)
    standing = True
    for keyframe in keyframes:
        before = remembered.get(keyframe.label)
        same_gate = before is not None and _holds(before, judge)
        standing = standing and same_gate
        accepted = accepted_take(before, keyframe, exact=False)
        accepted = accepted if standing or _is_approved(before, accepted) else None
        standing = accepted is not None
        pursuit = Pursuit(keyframe, next_take=1, last_take=takes, exact=exact, budget=budget)
        if before is not None and (accepted is not None or before.key == keyframe.request(1).key):
            _resume(pursuit, before, accepted, takes, same_gate=same_gate)
            if again and accepted is not None:
                pursuit.take_again(accepted, takes)
        pursuits.append(pursuit)
    return pursuits


def _resume(pursuit: Pursuit, before: KeyframeRecord, accepted: Take | None, takes: int, *, same_gate: bool) -> None:
    """Put *pursuit* where the run ended that left *before*; *accepted* is its take that stands."""
    # One that does not stand any more is judged again, and so is everything that another gate has judged.
    doubted = accepted is None and before.accepted is not None
    known = [] if doubted or (accepted is None and not same_gate) else before.takes
    pursuit.judged = [judged.model_copy(update={"cached": True}) for judged in known]
    last = accepted or (before.accepted if doubted else known[-1].take if known else None)
    if last is None:
        return
    pursuit.approach = last.approach.model_copy(update={"draw": last.draw})
    pursuit.next_take = last.number if accepted or doubted else last.number + 1
    pursuit.first_take, pursuit.last_take = pursuit.next_take, pursuit.next_take + takes - 1
    # A later take of the previz has a control image of its own seed.
    if accepted is not None and accepted.control.key == control_request(pursuit.keyframe.request(1)).key:
        pursuit.control = accepted.control
    if accepted is not None:
        pursuit.sheets = accepted.sheets


def _holds(before: KeyframeRecord, judge: str) -> bool:
    """Say whether the gate, and *judge* with it, would say today what it said of what counts of *before*."""
    standing = [judged for judged in before.takes if judged.stands][-1:]
    counts = standing or before.takes
    return before.gate == REVISION and all(judged.approved or holds(judged.verdict, judge) for judged in counts)


def _is_approved(before: KeyframeRecord | None, take: Take | None) -> bool:
    return before is not None and any(judged.approved and judged.take == take for judged in before.takes)


def needs_precision(approach: Approach) -> bool:
    """Say whether only exact pixels will do, since others were a numerical failure."""
    return any(repair.remedy is Remedy.HIGHER_PRECISION for repair in approach.repairs)

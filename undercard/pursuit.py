"""A keyframe on its way to an accepted take: where the last run left it, and what it was tried on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from undercard import gate
from undercard.backends import Rung
from undercard.choosing import PREVIZ
from undercard.conditioning import conditioned, control_request, follows_itself, lacking
from undercard.keyframes import accepted_take
from undercard.ladder import Tried, kind
from undercard.likeness import Likeness
from undercard.manifest import Judged, KeyframeRecord
from undercard.planning import PlannedKeyframe
from undercard.requests import Attempt, Control, RenderRequest, Sheet, Take


@dataclass(slots=True)
class Pursuit:
    """One keyframe on its way to an accepted take."""

    keyframe: PlannedKeyframe
    next_take: int
    last_take: int
    exact: bool = False
    """Only a take of exact pixels ends it."""
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
    better_kinds: frozenset[str] = frozenset()
    """What would be better than it."""
    error: str = ""

    @property
    def accepted(self) -> Take | None:
        """The newest take that the gate accepted and that is what was asked for."""
        takes = (judged.take for judged in reversed(self.judged) if judged.verdict.accepted)
        return next((take for take in takes if take.exact or not self.exact), None)

    @property
    def pending(self) -> bool:
        """Neither accepted nor failed nor out of takes."""
        return not self.error and self.next_take <= self.last_take and self.accepted in (None, self.bettered)

    def give_up(self, reason: str) -> None:
        """Render it no more: it failed for *reason*, or keeps the take it has."""
        if self.bettered is None:
            self.error = reason
        self.last_take = self.next_take - 1

    def request_on(self, rung: Rung) -> RenderRequest:
        """Return what *rung* is to render for the next take."""
        request = self.keyframe.request_on(rung.backend, self.next_take, exact=rung.exact)
        if follows_itself(request) or self.control is None:
            return request
        keyframe = self.keyframe
        return conditioned(request, self.control, keyframe.control, keyframe.likenesses, self.sheets)

    @property
    def lacks_control(self) -> bool:
        """Its control image is still to be drawn, before a model can render it."""
        return self.control is None and not follows_itself(self.keyframe.request(1))

    @property
    def lacks_sheets(self) -> tuple[Likeness, ...]:
        """Whose character sheets are still to be drawn."""
        return tuple(lacking(self.keyframe.likenesses, self.sheets))

    def takes_to(self, rung: Rung) -> bool:
        """Say whether *rung* gives what is looked for."""
        return self.bettered is None or kind(rung.backend, exact=rung.exact) in self.better_kinds

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


def begin(
    keyframes: Sequence[PlannedKeyframe], remembered: Mapping[str, KeyframeRecord], takes: int, *, exact: bool
) -> list[Pursuit]:
    """Begin one shot where the last run ended: accepted takes stand, and rejected ones are not tried again.

    A take stands for as long as its request, the gate, and the keyframe that it was compared with do. One that stands
    but is not exact, where that is asked for, is rendered again with its own seed.
    """
    pursuits = []
    standing = True
    for keyframe in keyframes:
        before = remembered.get(keyframe.label)
        standing = standing and before is not None and before.gate == gate.REVISION
        accepted = accepted_take(before, keyframe, exact=False) if standing else None
        first = accepted.number if accepted else _first_take(before, keyframe)
        pursuit = Pursuit(keyframe, next_take=first, last_take=first + takes - 1, exact=exact)
        standing = accepted is not None
        if accepted is not None and before is not None:
            pursuit.judged = [judged.model_copy(update={"cached": True}) for judged in before.takes]
            # A later take of the previz has a control image of its own seed.
            same = accepted.control.key == control_request(keyframe.request(1)).key
            pursuit.control = accepted.control if same else None
            pursuit.sheets = accepted.sheets
        pursuits.append(pursuit)
    return pursuits


def _first_take(before: KeyframeRecord | None, keyframe: PlannedKeyframe) -> int:
    if before is None or before.key != keyframe.request(1).key:
        return 1
    if before.accepted is not None:
        return before.accepted.number
    return before.takes[-1].take.number + 1 if before.takes else 1


def look_higher(pursuits: Sequence[Pursuit], offered: Collection[str], *, fresh: bool = False) -> None:
    """Ask for better takes than those that stand, where an offered kind of pixels is better.

    Exact pixels are better than others, a model's are better than the previz's, and those that a take stepped down
    from are better than its own. A kind counts when the film has it already or a take stepped down from it: what was
    chosen for all of a film is no step down. The previz is never chosen where a model was meant.

    Args:
        pursuits: of the whole run.
        offered: the kinds of the rungs that fit now.
        fresh: leave alone what earlier runs made.
    """
    standing = [pursuit.accepted for pursuit in pursuits if pursuit.accepted is not None]
    known = {kind(take.backend, exact=take.exact) for take in standing}
    known |= {fallen for take in standing for fallen in _left_behind(take)}
    for pursuit in pursuits:
        take = pursuit.accepted
        if take is None or (fresh and not pursuit.tried):
            continue
        better = frozenset(one for one in offered if _is_better(one, take) and (one in known or _is_stand_in(take)))
        if better:
            pursuit.bettered, pursuit.better_kinds = take, better
            # Its own seed: what was approved should not become another picture.
            pursuit.next_take, pursuit.last_take = take.number, max(take.number, pursuit.last_take)


def _is_better(offered: str, take: Take) -> bool:
    own = kind(take.backend, exact=take.exact)
    if offered == own or take.exact:
        return False
    return offered == "" or _is_stand_in(take) or offered in _left_behind(take)


def _is_stand_in(take: Take) -> bool:
    return take.backend == PREVIZ


def _left_behind(take: Take) -> frozenset[str]:
    """Return the kinds of pixels that were tried for *take* in vain."""
    return frozenset(kind(attempt.backend, exact=attempt.exact) for attempt in take.detours)

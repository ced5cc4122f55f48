"""Which takes that stand are rendered again, because a better rung fits now."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from undercard import backends
from undercard.domain.takes import Take
from undercard.planning.ladder import kind
from undercard.production.keyframes.pursuit import Pursuit, needs_precision


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
    # What a single keyframe was repaired by is nothing that all of the film should have.
    known = {kind(take.backend, exact=take.exact) for take in standing if not needs_precision(take.approach)}
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
            pursuit.approach = take.approach.model_copy(update={"draw": take.draw})


def _is_better(offered: str, take: Take) -> bool:
    own = kind(take.backend, exact=take.exact)
    if offered == own or take.exact:
        return False
    return offered == "" or _is_stand_in(take) or offered in _left_behind(take)


def _is_stand_in(take: Take) -> bool:
    return backends.draws_itself(take.backend)


def _left_behind(take: Take) -> frozenset[str]:
    """Return the kinds of pixels that were tried for *take* in vain."""
    return frozenset(kind(attempt.backend, exact=attempt.exact) for attempt in take.detours)

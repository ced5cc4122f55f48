"""The policy of repairs: what is done about a fault, given what is possible and what was done before. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from undercard.domain import controls
from undercard.domain.requests import MOST_STEPS
from undercard.domain.takes import Remedy, Repair
from undercard.gate.contract import Fault, Finding, Verdict

_NOISE = (Remedy.MORE_STEPS, Remedy.NEW_SEED)
_DECODING = (Remedy.DECODED_WHOLE, *_NOISE)
_STAGING = (Remedy.STRONGER_CONTROL, Remedy.REWORDED, Remedy.NEW_SEED)
_LIKENESS = (Remedy.ANCHORED, Remedy.REWORDED, Remedy.NEW_SEED)
# A model that gives a picture back does so from any noise: the seed alone never helps.
_COPYING = (Remedy.REWORDED, Remedy.OTHER_CONTROL)

REMEDIES: Mapping[Fault | None, tuple[Remedy, ...]] = {
    Fault.NUMERICAL: (Remedy.HIGHER_PRECISION, Remedy.NEW_SEED),
    **dict.fromkeys((Fault.SOFT, Fault.NOISY, Fault.BURNT), _NOISE),
    **dict.fromkeys((Fault.BANDED, Fault.TILED), _DECODING),
    # A model draws the blocks of a reference as it draws its grain.
    Fault.BLOCKY: (Remedy.MORE_STEPS, Remedy.REWORDED, Remedy.NEW_SEED),
    **dict.fromkeys((Fault.WRONG_FRAME, Fault.WRONG_LIGHT), (Remedy.RENDERED_AGAIN,)),
    **dict.fromkeys((Fault.WRONG_COUNT, Fault.WRONG_POSE, Fault.EXTRA_LIMB), _STAGING),
    **dict.fromkeys((Fault.SWAPPED, Fault.DRIFTED), _LIKENESS),
    **dict.fromkeys((Fault.NOT_EDITED, Fault.REPEATED), _COPYING),
    Fault.JUMP: (Remedy.NEIGHBOURS_SEED, Remedy.NEIGHBOUR_SHOWN, Remedy.NEW_SEED),
    # A check that does not name its fault gives only words.
    None: (Remedy.NEW_SEED,),
}
"""For each fault what is tried about it, in this order; what cannot be done is passed over."""

SPOILING = (Fault.NUMERICAL, Fault.WRONG_FRAME)
"""Where one of these is found, whatever else is wrong with the picture says nothing: a black one is soft as well."""
SPOILT_SEVERITY = 10.0
"""More than every other check together: such a picture is kept only where there is no other."""

UNPROMPTED = frozenset({Remedy.NEW_SEED, Remedy.RENDERED_AGAIN})
"""What makes sense for a backend that follows the staging itself: its seed is its noise, and nothing else is open."""
SAME_SEED = frozenset(
    {
        Remedy.HIGHER_PRECISION,
        Remedy.DECODED_WHOLE,
        Remedy.MORE_STEPS,
        Remedy.NEIGHBOURS_SEED,
        Remedy.NEIGHBOUR_SHOWN,
    }
)
"""What is to change nothing else about the picture; all others come with a seed of their own."""

STRONGER: Mapping[str, str] = {"skeleton": "depth", "depth": "frame", "normals": "frame"}
"""The control image that leaves a model less freedom."""
OTHER: Mapping[str, str] = {"frame": "depth", "depth": "skeleton", "normals": "depth", "skeleton": "frame"}
"""One that looks unlike: a model copies what already looks like a photograph, or what it takes for the picture."""


@dataclass(frozen=True, slots=True)
class Means:
    """What can be done otherwise for the next take of a keyframe."""

    prompted: bool
    """Its backend follows words and pictures, and not the staging itself."""
    heeds: frozenset[str] = frozenset()
    """The optional fields of a request that its backend heeds."""
    tiled: bool = False
    """The picture was decoded in tiles; its latents are those of its request, decoded again."""
    steps: int = MOST_STEPS
    """Of the settings."""
    finer: bool = False
    """A rung of exact pixels fits, and the take had others."""
    control: str = controls.DEFAULT
    """The kind of control image that was planned."""
    renumbers: bool = False
    """Its prompt counts its pictures, so that their order may change."""
    knows_somebody: bool = False
    """Some of its pictures show whom it is of."""
    draw: int = 1
    """Which seed the take had."""
    drawn: int = 1
    """The last seed that any take of the keyframe had."""
    neighbours_draw: int = 0
    """Which seed the accepted take of the keyframe before it has; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """What repairs come to: how a request differs from what was planned."""

    control: str
    """The kind of control image."""
    anchored: bool = False
    """Pictures of the fighters come before the control image."""
    neighbour: bool = False
    """The keyframe before it is one of the pictures."""
    insisted: tuple[str, ...] = ()
    """The faults that the prompt speaks of."""
    steps: int = 0
    whole: bool = False


def treatment(repairs: Sequence[Repair], control: str) -> Treatment:
    """Return what *repairs* come to for a keyframe whose control image was planned to be of the kind *control*."""
    kinds = (one.detail for one in reversed(repairs) if one.remedy in {Remedy.STRONGER_CONTROL, Remedy.OTHER_CONTROL})
    remedies = {one.remedy for one in repairs}
    spoken = (one.fault for one in repairs if one.remedy in {Remedy.REWORDED, Remedy.ANCHORED})
    return Treatment(
        control=next(kinds, control),
        anchored=Remedy.ANCHORED in remedies,
        neighbour=Remedy.NEIGHBOUR_SHOWN in remedies,
        insisted=tuple(dict.fromkeys(spoken)),
        steps=MOST_STEPS if Remedy.MORE_STEPS in remedies else 0,
        whole=Remedy.DECODED_WHOLE in remedies,
    )


def repairs_for(verdict: Verdict, number: int, done: Sequence[Repair], means: Means) -> tuple[Repair, ...]:
    """Return what is to be done about a rejected take, beside what was done before; nothing where nothing is left.

    Each fault has its own repair. None is made twice: a fault that it did not mend gets the next one.

    Args:
        verdict: of the take.
        number: of the take.
        done: every repair of the keyframe so far.
        means: what can be done.
    """
    found = (_repair(finding, number, done, means) for finding in _worth_repairing(verdict))
    return tuple(repair for repair in found if repair is not None)


def next_draw(repairs: Sequence[Repair], means: Means) -> int:
    """Return which seed the take after *repairs* has."""
    remedies = {repair.remedy for repair in repairs}
    if Remedy.NEIGHBOURS_SEED in remedies:
        return means.neighbours_draw
    return means.draw if remedies <= SAME_SEED else means.drawn + 1


def main_causes(verdict: Verdict) -> tuple[str, ...]:
    """Return why a picture was rejected, without what only follows from it."""
    return tuple(finding.cause for finding in _worth_repairing(verdict))


def severity(verdict: Verdict) -> float:
    """Return how bad a picture is: 0 for one that passed, and from 1 to 2 more for each check that it failed.

    How far a score is from its threshold counts by |score - threshold| / (|score| + |threshold|), which is 0 at the
    threshold and at most 1, whatever the unit and whichever side is the good one.
    """
    failed = [finding for finding in verdict.findings if not finding.passed]
    spoilt = SPOILT_SEVERITY if any(finding.fault in SPOILING for finding in failed) else 0.0
    return spoilt + sum(1.0 + _distance(finding) for finding in failed)


def _distance(finding: Finding) -> float:
    whole = abs(finding.score) + abs(finding.threshold)
    return min(1.0, abs(finding.score - finding.threshold) / whole) if whole else 0.0


def _worth_repairing(verdict: Verdict) -> Iterator[Finding]:
    """Yield the failed findings, one a fault; where one spoils the picture, that alone."""
    failed = {finding.fault: finding for finding in reversed(verdict.findings) if not finding.passed}
    for fault in SPOILING:
        if fault in failed:
            yield failed[fault]
            return
    # A fault that has a name says more than one that has none.
    named = {fault: finding for fault, finding in failed.items() if fault is not None}
    yield from reversed((named or failed).values())


def _repair(finding: Finding, number: int, done: Sequence[Repair], means: Means) -> Repair | None:
    made = {(repair.remedy, repair.detail) for repair in done}
    fault = finding.fault
    for remedy in REMEDIES[fault]:
        if not means.prompted and remedy not in UNPROMPTED:
            continue
        detail = _detail(remedy, fault, done, means)
        if detail is not None and (remedy, detail) not in made:
            return Repair(remedy=remedy, detail=detail, fault=fault or "", cause=finding.cause, after=number)
    return None


def _detail(remedy: Remedy, fault: Fault | None, done: Sequence[Repair], means: Means) -> str | None:
    """Return which repair of its kind *remedy* would be now, or None where it cannot be made."""
    control = treatment(done, means.control).control
    neighbour = means.neighbours_draw
    match remedy:
        case Remedy.HIGHER_PRECISION:
            return "exact pixels" if means.finer else None
        case Remedy.DECODED_WHOLE:
            return "" if means.tiled and "whole" in means.heeds else None
        case Remedy.MORE_STEPS:
            return f"{MOST_STEPS}" if "steps" in means.heeds and means.steps < MOST_STEPS else None
        case Remedy.STRONGER_CONTROL:
            return STRONGER.get(control)
        case Remedy.OTHER_CONTROL:
            return OTHER.get(control)
        case Remedy.REWORDED:
            return f"about {fault}"
        case Remedy.ANCHORED:
            return "" if means.renumbers and means.knows_somebody else None
        case Remedy.NEIGHBOURS_SEED:
            return f"seed {neighbour}" if neighbour not in (0, means.draw) else None
        case Remedy.NEIGHBOUR_SHOWN:
            return "" if neighbour and means.renumbers else None
        case Remedy.NEW_SEED | Remedy.RENDERED_AGAIN:
            return f"seed {means.drawn + 1}"

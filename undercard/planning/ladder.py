"""The policy of the ladder: which rung a keyframe is tried on next, given the rungs there are and what was tried."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from undercard.backends import Rung
from undercard.domain.takes import Outcome
from undercard.domain.units import gigabytes
from undercard.errors import BackendError, DeviceBusy, DeviceFault, HostMemoryExhausted, OutOfMemory

SAME_RUNG_LIMIT = 2
"""Attempts on one rung after causes that a new process, or another process's end, may cure."""
WORTH = 0.1
"""The share of the remaining time that a faster rung must save before an open one is given up for it."""


def kind(backend: str, *, exact: bool) -> str:
    """Return whose pixels a backend's are: empty for those of bf16 Qwen-Image-Edit, whichever backend gives them.

    Pictures of one kind belong in one film.
    """
    return "" if exact else backend


def _kind(rung: Rung) -> str:
    return kind(rung.backend, exact=rung.exact)


@dataclass(frozen=True, slots=True)
class Tried:
    """A rung, and what came of a keyframe on it."""

    rung: Rung
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Ways:
    """The rungs of a device as it is at this moment, each part in the order of preference."""

    now: tuple[Rung, ...]
    """Those that fit."""
    later: tuple[Rung, ...] = ()
    """Those that would fit if nobody else used the device."""
    last: tuple[Rung, ...] = ()
    """What is taken rather than a keyframe lost: it belongs to another family."""


@dataclass(frozen=True, slots=True)
class Use:
    """Try this rung."""

    rung: Rung


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again in a while: another process has what a rung needs."""

    rung: Rung
    """The best that is waited for."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The keyframe fails."""

    reason: str


Step: TypeAlias = Use | Wait | GiveUp


@dataclass(slots=True)
class Breaker:
    """Closes a rung for the rest of a run once it has failed several keyframes in a row."""

    limit: int
    failures: dict[str, int] = field(default_factory=dict)

    def note(self, tried: Tried) -> None:
        """Count what came of a keyframe on a rung.

        Errors that are no fault of the rung do not count, and nor does a device that is busy: it will be free again.
        """
        if tried.outcome == "rendered":
            self.failures.pop(tried.rung.label, None)
        elif tried.outcome in {"out of memory", "host memory", "device fault"}:
            self.failures[tried.rung.label] = self.failures.get(tried.rung.label, 0) + 1

    @property
    def closed(self) -> frozenset[str]:
        """The labels of the rungs that are closed."""
        return frozenset(label for label, count in self.failures.items() if count >= self.limit)


def outcome_of(error: BaseException) -> Outcome:
    """Return what *error* is to the ladder, by its type alone."""
    match error:
        case OutOfMemory():
            return "out of memory"
        case HostMemoryExhausted():
            return "host memory"
        case DeviceBusy():
            return "device busy"
        case DeviceFault():
            return "device fault"
        case _:
            return "failed"


def is_about_the_rung(error: BaseException) -> bool:
    """Say whether another rung, a new process or a wait may help after *error*."""
    return isinstance(error, BackendError) and outcome_of(error) != "failed"


def next_step(
    ways: Ways,
    tried: Sequence[Tried] = (),
    *,
    closed: Collection[str] = (),
    attempt_limit: int = 6,
    patient: bool = True,
) -> Step:
    """Return what to do for one keyframe.

    An out-of-memory leads to a rung that needs strictly less VRAM of the same place, or to one in another place; host
    memory's end to one that needs strictly less of that; a fault to the same rung in a new process, once. No attempt is
    repeated unchanged, and an error that is not about the rung ends the matter.

    Args:
        ways: the rungs, as the device is now.
        tried: what was tried for this keyframe, oldest first.
        closed: labels of rungs that the breaker closed.
        attempt_limit: how many attempts may fail.
        patient: there is time left to wait for a device that is busy.
    """
    failed = [attempt for attempt in tried if attempt.outcome != "rendered"]
    if failed and failed[-1].outcome == "failed":
        return GiveUp("")
    if len(failed) >= attempt_limit:
        return GiveUp(f"{len(failed)} attempts failed, on {_names(failed)}")
    now, later, last = (_open(rungs, failed, closed) for rungs in (ways.now, ways.later, ways.last))
    if later and patient and not _as_good(now, later[0]):
        return Wait(later[0])
    for rung in (*now, *last):
        return Use(rung)
    if later:
        return GiveUp(f"the card stayed busy: {later[0].label} needs {gigabytes(later[0].needs.vram_bytes)}")
    tail = f" after {_names(failed)}" if failed else ""
    return GiveUp(f"no rung is left{tail}")


def _as_good(now: Sequence[Rung], awaited: Rung) -> bool:
    """Say whether what fits gives the same pixels as what is waited for, which only takes its time."""
    return any(rung.exact or _kind(rung) == _kind(awaited) for rung in now)


def _open(rungs: Sequence[Rung], failed: Sequence[Tried], closed: Collection[str]) -> list[Rung]:
    return [rung for rung in rungs if rung.label not in closed and _may_help(rung, failed)]


def _may_help(rung: Rung, failed: Sequence[Tried]) -> bool:
    """Say whether *rung* differs from every failure in what that failure was about."""
    same = 0
    for attempt in failed:
        if attempt.outcome == "out of memory" and not _needs_less(rung, attempt.rung):
            return False
        if attempt.outcome == "host memory" and rung.needs.host_bytes >= attempt.rung.needs.host_bytes:
            return False
        same += attempt.rung.label == rung.label
    return same < SAME_RUNG_LIMIT


def _needs_less(rung: Rung, failed: Rung) -> bool:
    """Say whether *rung* may fit where *failed* did not; the memory of a server is another than that of this device."""
    return rung.served != failed.served or rung.needs.vram_bytes < failed.needs.vram_bytes


def keeps(current: Rung, best: Rung, keyframes: int) -> bool:
    """Say whether to stay on the open rung *current* although *best* is preferred now.

    Opening *best* costs its time; it must save that and a tenth of what is left, so that a tenant who comes and goes
    does not make a run flap. Pixels come before time: from a rung that gives others, the run always goes up.
    """
    if _kind(current) != _kind(best):
        return False
    saved = (current.needs.seconds - best.needs.seconds) * keyframes - best.needs.open_seconds
    return saved <= WORTH * current.needs.seconds * keyframes


def preferred(rungs: Sequence[Rung], wanted: str) -> tuple[Rung, ...]:
    """Return *rungs* with those of the kind *wanted* first, so that a film stays of one kind."""
    return tuple(sorted(rungs, key=lambda rung: _kind(rung) != wanted))


def _names(tried: Sequence[Tried]) -> str:
    return ", ".join(dict.fromkeys(f"{attempt.rung.label} ({attempt.outcome})" for attempt in tried))

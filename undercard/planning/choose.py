"""Which backends a run may use, and the rungs that they have on a device at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from undercard import backends
from undercard.backends import Backend, Rung, Work
from undercard.errors import BackendUnavailable
from undercard.hardware.devices import Device
from undercard.planning import measurements, rungs
from undercard.planning.ladder import Ways, kind, preferred
from undercard.planning.rungs import Fit
from undercard.settings import Settings
from undercard.store import Store

AUTO = "auto"
"""In place of a backend's name: the fastest that runs here, the previz where none of a model does."""
PREVIZ = "previz"


@dataclass(frozen=True, slots=True)
class Choice:
    """The backends that a run may use, all of one family."""

    names: tuple[str, ...]
    """The one it begins with first."""
    wanted: str | None = None
    """The kind of pixels that was asked for by a backend's name; None where any will do."""
    why: str = ""
    """Why no model renders, where that was left to choose."""


def choose(name: str, work: Work, device: Device, settings: Settings, *, exact: bool) -> Choice:
    """Return what a run may use that asks for the backend called *name*, or for `auto`.

    Raises:
        UnknownBackend: there is no such backend.
        BackendUnavailable: it cannot run here, or is not exact where that was asked for.
    """
    if name == AUTO:
        return _best(work, device, settings, exact=exact)
    chosen = backends.backend(name)
    reason = chosen.unavailable(device, settings)
    if reason is not None:
        raise BackendUnavailable(f"backend {name!r} cannot run here: {reason}")
    if exact and not chosen.exact:
        raise BackendUnavailable(
            f"backend {name!r} does not give exact Qwen-Image-Edit pixels; leave out `exact` or name another"
        )
    family = [found for found in rungs.everything() if found.family == chosen.family and found.name != name]
    usable = [found for found in family if found.unavailable(device, settings) is None]
    others = [found.name for found in usable if found.exact or not exact]
    # What is asked for by name is what the film is of; the others are what it steps down to.
    return Choice((name, *others), wanted=kind(name, exact=chosen.exact))


def _best(work: Work, device: Device, settings: Settings, *, exact: bool) -> Choice:
    models = [found for found in rungs.everything() if found.in_child]
    known = measurements.history(Store(settings.store_root))
    fits = rungs.ladder(models, work, _emptied(device), settings, exact=exact, known=known)
    names = tuple(dict.fromkeys(fit.rung.backend for fit in fits if fit.fits))
    if names:
        return Choice(names)
    why = _reasons(fits) or "no backend of a model is there"
    if exact:
        raise BackendUnavailable(f"nothing gives exact Qwen-Image-Edit pixels here: {why}")
    return Choice((PREVIZ,), why=why)


def _reasons(fits: Sequence[Fit]) -> str:
    """Say each reason once, with the rungs that it keeps out; what keeps out all needs no names."""
    by_reason: dict[str, list[str]] = {}
    for fit in fits:
        by_reason.setdefault(fit.reason, []).append(fit.rung.label)
    if len(by_reason) == 1:
        return next(iter(by_reason))
    return "; ".join(f"{', '.join(labels)}: {reason}" for reason, labels in by_reason.items())


def ways(
    names: Sequence[str], work: Work, device: Device, settings: Settings, *, exact: bool, wanted: str | None
) -> Ways:
    """Return the rungs of the backends called *names* on *device* as it is at this moment.

    Args:
        names: of one family, as chosen.
        work: what a keyframe asks for.
        device: with its one card; what our own child holds counts as free.
        settings: of the machine.
        exact: only exact rungs.
        wanted: the kind of pixels that the film has or was asked for; what would give it is worth a wait.
    """
    found = [backends.backend(name) for name in names]
    now = _fitting(found, work, device, settings, exact=exact)
    later = _fitting(found, work, _emptied(device), settings, exact=exact)
    if wanted is not None:
        now, later = preferred(now, wanted), preferred(later, wanted)
    labels = {rung.label for rung in now}
    awaited = [rung for rung in later if rung.label not in labels and _is_worth_a_wait(rung, now, wanted)]
    return Ways(now=tuple(now), later=tuple(awaited), last=_last(found, work, device, settings, exact=exact))


def _is_worth_a_wait(rung: Rung, now: Sequence[Rung], wanted: str | None) -> bool:
    """Say whether *rung* gives what nothing that fits gives.

    Where nothing was asked for by name and something of the model fits, time is worth more than the kind of pixels.
    """
    return not now if wanted is None else kind(rung.backend, exact=rung.exact) == wanted


def _fitting(
    found: Sequence[Backend], work: Work, device: Device, settings: Settings, *, exact: bool
) -> Sequence[Rung]:
    known = measurements.history(Store(settings.store_root))
    fits: Sequence[Fit] = rungs.ladder(found, work, device, settings, exact=exact, known=known)
    return [fit.rung for fit in fits if fit.fits]


def _last(found: Sequence[Backend], work: Work, device: Device, settings: Settings, *, exact: bool) -> tuple[Rung, ...]:
    if exact or any(backend.draws_itself for backend in found) or not any(backend.in_child for backend in found):
        return ()
    return backends.backend(PREVIZ).rungs(work, device, settings)


def _emptied(device: Device) -> Device:
    """Return *device* as if nothing else used its cards."""
    return replace(device, gpus=tuple(replace(gpu, free_bytes=gpu.total_bytes) for gpu in device.gpus))

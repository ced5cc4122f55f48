"""The ladder of a device: every rung of every backend, whether it fits now, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from undercard import backends
from undercard.backends import Backend, Needs, Rung, Work
from undercard.domain.units import gigabytes
from undercard.hardware import devices
from undercard.hardware.devices import Device
from undercard.planning import measurements
from undercard.planning.measurements import Measurement
from undercard.settings import Settings

EXACT_ADVANTAGE = 1.5
"""How many times as long an exact rung may take and still come before one that changes pixels: a film is looked at for
longer than it is waited for."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A rung, and whether it fits the device as it is now."""

    rung: Rung
    fits: bool
    reason: str = ""
    """Why it does not fit, and what would change that."""
    runs: bool = True
    """The backend can run here; where it cannot, the rung only stands for it, and its needs say nothing."""


def everything() -> tuple[Backend, ...]:
    """Return every backend there is."""
    return tuple(backends.backend(name) for name in backends.names())


def ladder(
    found: Sequence[Backend],
    work: Work,
    device: Device,
    settings: Settings,
    *,
    exact: bool = False,
    known: Sequence[Measurement] = (),
) -> tuple[Fit, ...]:
    """Return the rungs of the backends *found*: those that fit, fastest first, then those that do not.

    An exact rung comes before a faster one that changes pixels unless the gain is great, and the previz after whatever
    makes the pictures of a model. Pure given *device*, whose first card is meant.

    Args:
        found: the backends to look at.
        work: what a keyframe asks for.
        device: the machine, as it is now.
        settings: of it.
        exact: only rungs that give the pixels of bf16 Qwen-Image-Edit fit.
        known: what runs measured, which corrects the rungs' needs.
    """
    fits: list[tuple[Fit, bool]] = []
    for backend in found:
        drawn = backend.draws_itself
        reason = backend.unavailable(device, settings)
        if reason is not None:
            stand_in = Rung(backend.name, exact=backend.exact, needs=Needs(0, 0, 0.0))
            fits.append((Fit(stand_in, fits=False, reason=str(reason), runs=False), drawn))
            continue
        for rung in backend.rungs(work, device, settings):
            better = measurements.corrected(rung, work, device, known)
            problem = misfit(better, device, exact=exact)
            fits.append((Fit(better, fits=problem is None, reason=problem or ""), drawn))
    return tuple(fit for fit, _drawn in sorted(fits, key=lambda pair: _order(*pair)))


def misfit(rung: Rung, device: Device, *, exact: bool = False) -> str | None:
    """Return why *rung* does not fit *device* now, or None when it does."""
    if exact and not rung.exact:
        return "its pixels are not those of the bf16 model, which `exact` asks for"
    needs = rung.needs
    if needs.vram_bytes and not rung.served:
        if device.gpu is None:
            return "needs a graphics card"
        available = devices.allocatable_bytes(device.gpu)
        if needs.vram_bytes > available:
            return f"needs {gigabytes(needs.vram_bytes)} of VRAM, {gigabytes(available)} can be taken"
    # Where nobody tells what is free, nothing is refused.
    if device.host_free_bytes and needs.host_bytes > device.host_free_bytes:
        return f"needs {gigabytes(needs.host_bytes)} of host memory, {gigabytes(device.host_free_bytes)} is free"
    return None


def _order(fit: Fit, drawn: bool) -> tuple[bool, bool, bool, float, int]:
    seconds = fit.rung.needs.seconds * (1.0 if fit.rung.exact else EXACT_ADVANTAGE)
    return not fit.fits, not fit.runs, drawn, seconds, -fit.rung.needs.vram_bytes

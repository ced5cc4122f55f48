"""What can be said before a run: the device as it is now, the ladder of its rungs, and what a shot list would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from undercard.backends import Backend, Needs, Rung, Work
from undercard.hardware import devices, probe
from undercard.hardware.devices import Device, Gpu, Tenant
from undercard.planning import choose, measurements, rungs
from undercard.planning.ladder import Ways
from undercard.planning.measurements import Measurement
from undercard.planning.plan import Plan
from undercard.planning.rungs import Fit
from undercard.production import estimate
from undercard.production.estimate import ShotEstimate

USUAL = Work((1024, 576))
"""What is asked of a device where no shot list says: its own default size, and one reference."""


@dataclass(frozen=True, slots=True)
class Card:
    """A card, and who holds memory on it."""

    gpu: Gpu
    tenants: tuple[Tenant, ...]

    @property
    def unseen_bytes(self) -> int:
        """What is held by none that can be seen: another container, a desktop, or the driver itself."""
        return self.gpu.total_bytes - self.gpu.free_bytes - sum(tenant.used_bytes for tenant in self.tenants)


@dataclass(frozen=True, slots=True)
class Outlook:
    """A device and what it can do."""

    device: Device
    cards: tuple[Card, ...]
    work: Work
    ladder: tuple[Fit, ...]
    """For the first card."""


@dataclass(frozen=True, slots=True)
class FilmOutlook:
    """What a shot list would take."""

    shots: tuple[ShotEstimate, ...]
    rung: Rung | None
    """What its keyframes would be rendered on; None when that is nothing."""
    instead: str
    """What a run would do because nothing that it is for fits now; empty when something does."""
    seconds: float
    """All of it; cached segments make it shorter."""
    gpu_seconds: float
    """What cards are busy for together, opening included."""

    @property
    def keyframes_left(self) -> int:
        """How many keyframes have no accepted take yet."""
        return sum(shot.keyframes - shot.done for shot in self.shots)

    def ends(self, now: datetime) -> datetime:
        """Return when it would be finished, begun *now*."""
        return now + timedelta(seconds=self.seconds)


def look(
    found: Sequence[Backend],
    device: Device,
    work: Work = USUAL,
    *,
    exact: bool = False,
    known: Sequence[Measurement] | None = None,
    held: Mapping[str, tuple[Tenant, ...]] | None = None,
) -> Outlook:
    """Return what *device* can do.

    Args:
        found: the backends to look at.
        device: the machine, as it is now.
        work: what a keyframe asks for.
        exact: only rungs that give exact pixels fit.
        known: what runs measured; read from the store when None.
        held: by the UUID of a card, who holds memory on it; asked of the driver when None.
    """
    known = measurements.history() if known is None else known
    cards = tuple(Card(gpu, probe.tenants(gpu) if held is None else held.get(gpu.uuid, ())) for gpu in device.gpus)
    return Outlook(device, cards, work, rungs.ladder(found, work, device, exact=exact, known=known))


def look_at_film(plan: Plan) -> FilmOutlook:
    """Return what *plan* would take on its device as it is."""
    ways = choose.ways(plan.backends, plan.work, plan.device, exact=plan.exact, wanted=plan.wanted)
    rung = next(iter((*ways.now, *ways.later, *ways.last)), None)
    needs = rung.needs if rung else Needs(0, 0, 0.0)
    rows = tuple(estimate.rows(plan, needs.seconds))
    left = sum(row.keyframes - row.done for row in rows)
    opening = needs.open_seconds if left else 0.0
    rendering = left * needs.seconds if needs.vram_bytes else 0.0
    # Keyframes are handed out to as many cards as there are, taken for equal; each opens the model for itself. A server
    # has the card that it has.
    cards = 1 if rung and rung.served else max(1, min(left, len(plan.device.gpus)))
    return FilmOutlook(
        shots=rows,
        rung=rung,
        instead=_instead(ways),
        seconds=sum(row.seconds for row in rows) + opening - rendering * (1 - 1 / cards),
        gpu_seconds=rendering + opening * cards if rendering else 0.0,
    )


def _instead(ways: Ways) -> str:
    if ways.now:
        return ""
    if ways.later:
        return f"it would wait for {ways.later[0].label}"
    return "it would draw them with the previz" if ways.last else "it would fail"


def as_json(outlook: Outlook, film: FilmOutlook | None = None, now: datetime | None = None) -> dict[str, object]:
    """Return *outlook*, and that of a *film* begun *now*, as plain values for a program to read; bytes and seconds."""
    content: dict[str, object] = {
        "device": {**asdict(outlook.device), "gpus": [_card(card) for card in outlook.cards]},
        "work": asdict(outlook.work),
        "ladder": [_fit(fit) for fit in outlook.ladder],
    }
    if film is not None and now is not None:
        content["film"] = {
            "shots": [asdict(shot) for shot in film.shots],
            "rung": film.rung.label if film.rung else None,
            "keyframes_left": film.keyframes_left,
            "seconds": film.seconds,
            "gpu_seconds": film.gpu_seconds,
            "ends": film.ends(now).isoformat(timespec="seconds"),
        }
    return content


def _card(card: Card) -> dict[str, object]:
    rate = devices.copy_rate(card.gpu)
    return {
        **asdict(card.gpu),
        "copy_bytes_per_second": rate,
        "copy_is_measured": card.gpu.copy_bytes_per_second > 0,
        "allocatable_bytes": devices.allocatable_bytes(card.gpu),
        "tenants": [asdict(tenant) for tenant in card.tenants],
    }


def _fit(fit: Fit) -> dict[str, object]:
    rung = fit.rung
    return {
        "rung": rung.label,
        "backend": rung.backend,
        "exact": rung.exact,
        "fits": fit.fits,
        "reason": fit.reason,
        "needs": asdict(rung.needs) if fit.runs else None,
        "predicted": asdict(rung.predicted) if rung.predicted else None,
    }

"""What can be said before a run: the device as it is now, the ladder of its rungs, and what a shot list would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from undercard.backends import Backend, Work
from undercard.hardware import probe
from undercard.hardware.devices import Device, Gpu, Tenant
from undercard.planning import measurements, rungs
from undercard.planning.measurements import Measurement
from undercard.planning.rungs import Fit
from undercard.settings import Settings
from undercard.store import Store

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


def look(
    found: Sequence[Backend],
    device: Device,
    settings: Settings,
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
        settings: of it.
        work: what a keyframe asks for.
        exact: only rungs that give exact pixels fit.
        known: what runs measured; read from the store when None.
        held: by the UUID of a card, who holds memory on it; asked of the driver when None.
    """
    known = measurements.history(Store(settings.store_root)) if known is None else known
    cards = tuple(Card(gpu, probe.tenants(gpu) if held is None else held.get(gpu.uuid, ())) for gpu in device.gpus)
    return Outlook(device, cards, work, rungs.ladder(found, work, device, settings, exact=exact, known=known))

"""Look at the machine this process runs on: its cores, its memory, its cards and who holds memory on them."""

from __future__ import annotations

from undercard.hardware.cores import cores
from undercard.hardware.devices import Device, Gpu, Tenant, shrunk
from undercard.settings import Settings
from undercard.store import Store


def this_device(settings: Settings) -> Device:
    """Return the machine that this process runs on, as it is now.

    Cards are those that `UNDERCARD_DEVICE` and `CUDA_VISIBLE_DEVICES` leave, in CUDA's order by PCI bus; none where
    there is no driver. `UNDERCARD_VRAM_LIMIT` makes each as small as it says.
    """
    # Whoever only counts cores needs neither psutil nor the driver.
    from undercard.hardware import copy_rates, host_memory, nvml

    host = host_memory.look()
    cards = _chosen(nvml.cards(), settings.device)
    if settings.vram_limit is not None:
        cards = tuple(shrunk(card, settings.vram_limit) for card in cards)
    return Device(
        cores=cores(),
        host_bytes=host.total_bytes,
        host_free_bytes=host.free_bytes,
        gpus=copy_rates.with_remembered(cards, Store(settings.store_root)),
    )


def _chosen(cards: tuple[Gpu, ...], device: str) -> tuple[Gpu, ...]:
    if device == "auto":
        return cards
    # `cpu` matches no card.
    return tuple(card for card in cards if device == f"cuda:{card.index}")


def tenants(gpu: Gpu) -> tuple[Tenant, ...]:
    """Return the processes that hold memory on *gpu*, most first; fewer than there are where they cannot be seen."""
    from undercard.hardware import nvml

    return nvml.tenants(gpu.uuid)

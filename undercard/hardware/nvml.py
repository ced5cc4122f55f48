"""Graphics cards as NVIDIA's driver tells of them, without a CUDA context and without torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psutil

from undercard import settings
from undercard.hardware.devices import Gpu, Tenant

T = TypeVar("T")
Nvml = Any
"""The module pynvml, or what stands for it in a test; it has no types."""


def cards(nvml: Nvml = None) -> tuple[Gpu, ...]:
    """Return the cards that CUDA shows this process, by their index there; none without a driver.

    CUDA is taken to count by PCI bus, as `CUDA_DEVICE_ORDER=PCI_BUS_ID` makes it do in the children of undercard.
    """
    with _driver(nvml) as driver:
        if driver is None:
            return ()
        handles = [driver.nvmlDeviceGetHandleByIndex(number) for number in range(driver.nvmlDeviceGetCount())]
        uuids = [driver.nvmlDeviceGetUUID(handle) for handle in handles]
        shown = visible(uuids, settings.visible_devices())
        return tuple(
            _card(driver, index, uuid, driver.nvmlDeviceGetHandleByUUID(uuid)) for index, uuid in enumerate(shown)
        )
    return ()


def count(nvml: Nvml = None) -> int | None:
    """Return how many cards the driver sees, whether or not CUDA shows them; None without a driver."""
    with _driver(nvml) as driver:
        return int(driver.nvmlDeviceGetCount()) if driver is not None else None
    return 0


def visible(uuids: Sequence[str], variable: str | None) -> tuple[str, ...]:
    """Return which cards of *uuids*, in PCI order, `CUDA_VISIBLE_DEVICES` leaves, in its own order.

    As in CUDA, a card may be an index, a UUID or the beginning of one, and the list ends at the first that is neither.
    A part of a card (`MIG-…`) is passed on as it is: the driver finds it by that name.
    """
    if variable is None:
        return tuple(uuids)
    shown: list[str] = []
    for token in (part.strip() for part in variable.split(",")):
        if token.isdigit():
            matches = list(uuids[int(token) : int(token) + 1])
        elif token.startswith("MIG-"):
            matches = [token]
        else:
            matches = [uuid for uuid in uuids if token.startswith("GPU-") and uuid.startswith(token)]
        # CUDA refuses a beginning that fits two cards, and a card that is named twice.
        if len(matches) != 1 or matches[0] in shown:
            break
        shown += matches
    return tuple(shown)


def tenants(uuid: str, nvml: Nvml = None) -> tuple[Tenant, ...]:
    """Return the processes that hold memory on the card *uuid*, most first; none where the driver does not tell."""
    with _driver(nvml) as driver:
        if driver is None or not uuid:
            return ()
        handle = driver.nvmlDeviceGetHandleByUUID(uuid)
        held: dict[int, int] = {}
        for process in _processes(driver, handle):
            # One process may both draw and compute; the driver gives its whole memory each time.
            held[process.pid] = max(held.get(process.pid, 0), process.usedGpuMemory or 0)
        return _tenants(held)
    return ()


def _processes(nvml: Nvml, handle: object) -> list[Any]:
    none: list[Any] = []
    computing = _told(nvml, lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle), none)
    drawing = _told(nvml, lambda: nvml.nvmlDeviceGetGraphicsRunningProcesses(handle), none)
    return [*computing, *drawing]


def _tenants(held: dict[int, int]) -> tuple[Tenant, ...]:
    found = [Tenant(pid, _name(pid), used, ours=_is_ours(pid)) for pid, used in held.items()]
    return tuple(sorted(found, key=lambda tenant: -tenant.used_bytes))


@contextmanager
def _driver(nvml: Nvml) -> Iterator[Nvml]:
    """Yield the driver's library, or None where there is none."""
    if nvml is None:
        nvml = _library()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        yield None
        return
    try:
        # A card that falls off the bus while it is looked at ends the caller's block: it is as good as none.
        with suppress(nvml.NVMLError):
            yield nvml
    finally:
        nvml.nvmlShutdown()


def _library() -> Nvml:
    # Imported here: whoever draws with the previz need not read its 7,000 lines.
    import pynvml

    return pynvml


def _card(nvml: Nvml, index: int, uuid: str, handle: object) -> Gpu:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    cores = _told(nvml, lambda: nvml.nvmlDeviceGetNumGpuCores(handle), 0)
    clock_mhz = _told(nvml, lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM), 0)
    return Gpu(
        index=index,
        name=nvml.nvmlDeviceGetName(handle),
        total_bytes=memory.total,
        free_bytes=memory.free,
        capability=nvml.nvmlDeviceGetCudaComputeCapability(handle),
        uuid=uuid,
        pcie_generation=_told(nvml, lambda: nvml.nvmlDeviceGetMaxPcieLinkGeneration(handle), 0),
        pcie_lanes=_told(nvml, lambda: nvml.nvmlDeviceGetMaxPcieLinkWidth(handle), 0),
        # A core does one multiply and one add a cycle.
        float_rate=2.0 * cores * clock_mhz * 1e6,
    )


def _told(nvml: Nvml, ask: Callable[[], T], otherwise: T) -> T:
    """Return the driver's answer, or *otherwise* for what it does not tell of this card or in this version."""
    try:
        return ask()
    except nvml.NVMLError:
        return otherwise


def _name(pid: int) -> str:
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return ""


def _is_ours(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return os.getpid() in {pid, *(parent.pid for parent in process.parents())}
    except psutil.Error:
        return False

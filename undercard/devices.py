"""What this machine has: cores, memory, and later its GPUs."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card, as it was when it was looked at."""

    index: int
    """As in `cuda:0`."""
    name: str
    total_bytes: int
    free_bytes: int
    """What no process holds now."""
    capability: tuple[int, int]
    """CUDA compute capability, such as (8, 6)."""
    uuid: str = ""
    copy_bytes_per_second: float = 0.0
    """From pinned host memory to the card, measured once and remembered; 0 when it was never measured."""


@dataclass(frozen=True, slots=True)
class Device:
    """The machine that renders."""

    cores: int
    host_bytes: int
    """Physical memory."""
    host_free_bytes: int = 0
    """What can be taken without swapping; 0 when unknown."""
    gpus: tuple[Gpu, ...] = ()


def this_device() -> Device:
    """Return the machine that this process runs on."""
    # The cores this process may use: fewer than the machine's in a container or under taskset.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    host_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return Device(cores=cores, host_bytes=host_bytes)

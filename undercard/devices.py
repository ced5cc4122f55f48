"""What this machine has: cores, memory, and later its GPUs."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """The machine that renders."""

    cores: int
    host_bytes: int
    """Physical memory."""


def this_device() -> Device:
    """Return the machine that this process runs on."""
    # The cores this process may use: fewer than the machine's in a container or under taskset.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    host_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return Device(cores=cores, host_bytes=host_bytes)

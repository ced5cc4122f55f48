"""How many cores this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Return how many cores this process may use: fewer than the machine's in a container or under taskset."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

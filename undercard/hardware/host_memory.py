"""How much host memory can be taken now, the machine's or its container's, and how much this process has taken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows the limits of containers."""
MEMBERSHIP = Path("/proc/self/cgroup")
"""Which of them hold for this process: `0::/path` for version 2, `4:memory:/path` for version 1."""


@dataclass(frozen=True, slots=True)
class HostMemory:
    """Host memory, as it was when it was looked at."""

    total_bytes: int
    free_bytes: int
    """Without swapping; the page cache counts as free."""


def peak_host_bytes() -> int:
    """Return the physical memory that this process held at most."""
    try:
        import resource
    except ModuleNotFoundError:
        # Windows, where psutil knows it.
        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # getrusage(2): KiB on Linux, bytes on macOS.
    return peak if sys.platform == "darwin" else peak * 1024


def look(groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> HostMemory:
    """Return what this process may have in all, and what it could take now."""
    machine = psutil.virtual_memory()
    found = [HostMemory(machine.total, machine.available), *_limits(groups, membership)]
    return HostMemory(min(one.total_bytes for one in found), min(one.free_bytes for one in found))


def _limits(groups: Path, membership: Path) -> Iterator[HostMemory]:
    """Yield the limit of every group that this process is in; a limit of a parent holds for its children."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, limit, usage, cache = groups, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root = groups / "memory"
            limit, usage, cache = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        group = root / path.lstrip("/")
        # Within a container its own group is often mounted as the root, and the path is of the host.
        for folder in dict.fromkeys([group, *group.parents, root]):
            if folder.is_relative_to(root):
                yield from _limit(folder / limit, folder / usage, folder / "memory.stat", cache)


def _limit(limit: Path, usage: Path, stat: Path, cache: str) -> Iterator[HostMemory]:
    try:
        total, used = int(limit.read_text()), int(usage.read_text())
        counters = dict(line.split() for line in stat.read_text().splitlines())
    # No such group, no limit ("max"), or a kernel that counts otherwise.
    except (OSError, ValueError):
        return
    # What lies in the page cache unused counts toward the group until the kernel wants it back.
    held = used - int(counters.get(cache, 0))
    yield HostMemory(total, max(0, total - held))

"""What a measured process may take of the device, and what it took: the cap of its allocator, and its peaks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.engine_rows import GB
from undercard.hardware.host_memory import peak_host_bytes


@dataclass(frozen=True, slots=True)
class Peaks:
    """The most a process held, in units of 10⁹ bytes; None where this machine cannot tell."""

    vram_gb: float | None
    """Held by tensors since `forget_peaks`."""
    reserved_gb: float | None
    """Held by the allocator since `forget_peaks`."""
    host_gb: float
    """Resident since the process began, mapped files included."""
    pinned_gb: float | None
    """Taken through torch's own allocator of pinned memory."""


@dataclass(slots=True)
class Lap:
    """The seconds of a timed block, once it is left."""

    seconds: float = 0.0


def device() -> torch.device:
    """Return the card, or the CPU of a machine without one, where only the plumbing can be tried."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def cap_allocator(cap_gb: float | None) -> None:
    """Start CUDA, and let this process's allocator hold at most *cap_gb*, so that it meets real out-of-memory errors.

    The context, about half a GB that no allocator hands out, comes on top.
    """
    if not torch.cuda.is_available():
        return
    torch.cuda.synchronize()
    total = torch.cuda.get_device_properties(0).total_memory
    # Without a cap too: one of before would stay.
    torch.cuda.set_per_process_memory_fraction(1.0 if cap_gb is None else min(1.0, cap_gb * GB / total))


def synchronize() -> None:
    """Wait until the device has done everything that this process gave it."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


@contextmanager
def lap() -> Iterator[Lap]:
    """Time a block, device included."""
    timed = Lap()
    synchronize()
    started = time.perf_counter()
    try:
        yield timed
    finally:
        synchronize()
        timed.seconds = time.perf_counter() - started


def forget_peaks() -> None:
    """Count the device's peaks from here on."""
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def peaks() -> Peaks:
    """Return the most this process held so far."""
    if not torch.cuda.is_available():
        return Peaks(None, None, resident_gb(), None)
    # Counted since torch 2.8, and each buffer as the power of two that torch takes for it.
    pinned = torch.cuda.host_memory_stats() if hasattr(torch.cuda, "host_memory_stats") else {}
    held = pinned.get("allocated_bytes.peak")
    return Peaks(
        vram_gb=_gb(torch.cuda.max_memory_allocated()),
        reserved_gb=_gb(torch.cuda.max_memory_reserved()),
        host_gb=resident_gb(),
        pinned_gb=None if held is None else _gb(held),
    )


def resident_gb(process: int | None = None) -> float:
    """Return the most that a process had in host memory since it began: this one, or that of a number."""
    status = Path(f"/proc/{process or 'self'}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return _gb(int(line.split()[1]) * 1024)
    return _gb(peak_host_bytes())


def _gb(held_bytes: int) -> float:
    return round(held_bytes / GB, 2)

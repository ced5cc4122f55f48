"""What this machine has now: cores, memory, graphics cards, and how fast bytes get to a card."""

from __future__ import annotations

from dataclasses import dataclass, replace

COPY_BYTES_PER_SECOND = {1: 3.0e9, 2: 6.0e9, 3: 12.0e9, 4: 24.0e9, 5: 54.0e9, 6: 100.0e9}
"""Pinned host memory → card over sixteen lanes, by PCIe generation; 5 measured (54.7 GB/s on an H100), the others what
cards of that generation reach of their nominal rate."""
CONTEXT_BYTES = 500_000_000
"""What CUDA takes on a card for a process before its first tensor: outside torch's allocator and its peak. 0.3 to
0.5 GB with the libraries that diffusion models load."""
RESERVE_SHARE, RESERVE_BYTES = 0.05, 300_000_000
"""What a plan leaves alone of the free memory, whichever is more: for the allocator's fragments and a desktop."""


ALLOCATOR = {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
"""Environment of a process that streams. Blocks come and go in sizes of half a gigabyte: without it, a tenth of a small
card is lost between them."""


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
    pcie_generation: int = 0
    """Of the link at its fastest, which it leaves when idle; 0 when unknown."""
    pcie_lanes: int = 0
    float_rate: float = 0.0
    """Float32 operations a second of its ordinary cores at their highest clock; 0 when unknown."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A process that holds memory on a card."""

    pid: int
    name: str
    """Empty where the process cannot be seen from here, as from within a container."""
    used_bytes: int
    """0 when the driver does not tell."""
    ours: bool
    """This process, or one that it started."""


@dataclass(frozen=True, slots=True)
class Device:
    """The machine that renders."""

    cores: int
    host_bytes: int
    """Physical memory, or what the container may use of it."""
    host_free_bytes: int = 0
    """What can be taken without swapping; 0 when unknown."""
    gpus: tuple[Gpu, ...] = ()

    @property
    def gpu(self) -> Gpu | None:
        """The card that rungs are planned for: the first, or None on a machine without one."""
        return self.gpus[0] if self.gpus else None

    def alone(self, gpu: Gpu) -> Device:
        """Return this machine as if *gpu* were its only card, for whoever renders on that one."""
        return replace(self, gpus=(gpu,))


def shrunk(gpu: Gpu, total_bytes: int) -> Gpu:
    """Return *gpu* as if its memory were *total_bytes* in all; what processes hold of it, they hold still."""
    held_bytes = gpu.total_bytes - gpu.free_bytes
    total = min(gpu.total_bytes, total_bytes)
    return replace(gpu, total_bytes=total, free_bytes=max(0, total - held_bytes))


def allocatable_bytes(gpu: Gpu) -> int:
    """Return what the allocator of one process may take on *gpu* now, its CUDA context and a reserve apart."""
    reserve = max(RESERVE_BYTES, int(RESERVE_SHARE * gpu.free_bytes))
    return max(0, gpu.free_bytes - CONTEXT_BYTES - reserve)


def with_allocatable(gpu: Gpu, allocator_bytes: int) -> Gpu:
    """Return *gpu* with just so much free that a process may allocate *allocator_bytes*, as under a cap of torch."""
    taken = allocator_bytes + CONTEXT_BYTES
    free = max(taken + RESERVE_BYTES, round(taken / (1 - RESERVE_SHARE)))
    return replace(gpu, free_bytes=free, total_bytes=max(gpu.total_bytes, free))


def copy_rate(gpu: Gpu) -> float:
    """Return bytes a second from pinned host memory to *gpu*: measured, else what its PCIe link promises."""
    if gpu.copy_bytes_per_second:
        return gpu.copy_bytes_per_second
    # A card that does not tell is taken for one in an ordinary slot of today.
    generation = min(gpu.pcie_generation or 4, max(COPY_BYTES_PER_SECOND))
    return COPY_BYTES_PER_SECOND[generation] * (gpu.pcie_lanes or 16) / 16


def child_variables(gpu: Gpu) -> dict[str, str]:
    """Return the environment by which a child process sees *gpu* and no other, as its `cuda:0`."""
    return {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": gpu.uuid or str(gpu.index),
        **ALLOCATOR,
    }

"""Cards and machines for tests, and a driver that tells of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from undercard.hardware.devices import Device, Gpu

GB = 1_000_000_000
H100 = Gpu(
    index=0,
    name="NVIDIA H100 80GB HBM3",
    total_bytes=85_520_809_984,
    free_bytes=84_900_000_000,
    capability=(9, 0),
    uuid="GPU-aaaa1111-0000-0000-0000-000000000000",
    copy_bytes_per_second=54.7e9,
    pcie_generation=5,
    pcie_lanes=16,
    # 16,896 cores at 1.98 GHz.
    float_rate=66.9e12,
)
RTX_3060 = Gpu(
    index=0,
    name="NVIDIA GeForce RTX 3060",
    total_bytes=12_884_901_888,
    free_bytes=11_900_000_000,
    capability=(8, 6),
    uuid="GPU-bbbb2222-0000-0000-0000-000000000000",
    pcie_generation=4,
    pcie_lanes=16,
    # 3,584 cores at 1.78 GHz.
    float_rate=12.7e12,
)


def machine(*gpus: Gpu, host_free_bytes: int = 60 * GB) -> Device:
    return Device(cores=16, host_bytes=64 * GB, host_free_bytes=host_free_bytes, gpus=gpus)


class DriverError(Exception):
    """As pynvml.NVMLError."""


@dataclass
class Memory:
    total: int
    free: int


@dataclass
class Process:
    pid: int
    usedGpuMemory: int | None  # noqa: N815  # the driver's own name


@dataclass
class Driver:
    """Answers as pynvml does; a name in *silent* is a question that this driver does not answer."""

    gpus: tuple[Gpu, ...] = ()
    computing: list[Process] = field(default_factory=list)
    drawing: list[Process] = field(default_factory=list)
    silent: frozenset[str] = frozenset()
    NVMLError: type[Exception] = DriverError
    NVML_CLOCK_SM: int = 1
    opened: int = 0

    def __getattr__(self, name: str) -> Any:
        questions = {
            "nvmlDeviceGetCount": lambda: len(self.gpus),
            "nvmlDeviceGetHandleByIndex": lambda index: self.gpus[index],
            "nvmlDeviceGetHandleByUUID": lambda uuid: next(gpu for gpu in self.gpus if gpu.uuid == uuid),
            "nvmlDeviceGetUUID": lambda gpu: gpu.uuid,
            "nvmlDeviceGetName": lambda gpu: gpu.name,
            "nvmlDeviceGetMemoryInfo": lambda gpu: Memory(gpu.total_bytes, gpu.free_bytes),
            "nvmlDeviceGetCudaComputeCapability": lambda gpu: gpu.capability,
            "nvmlDeviceGetMaxPcieLinkGeneration": lambda gpu: gpu.pcie_generation,
            "nvmlDeviceGetMaxPcieLinkWidth": lambda gpu: gpu.pcie_lanes,
            "nvmlDeviceGetNumGpuCores": lambda gpu: 1000,
            "nvmlDeviceGetMaxClockInfo": lambda gpu, clock: 1500,
            "nvmlDeviceGetComputeRunningProcesses": lambda gpu: self.computing,
            "nvmlDeviceGetGraphicsRunningProcesses": lambda gpu: self.drawing,
        }
        if name in self.silent:
            return self.refuse
        return questions[name]

    def nvmlInit(self) -> None:  # noqa: N802
        if "nvmlInit" in self.silent:
            raise DriverError
        self.opened += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.opened -= 1

    def refuse(self, *_: object) -> Any:
        raise DriverError

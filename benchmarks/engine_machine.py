"""The machine and the software that a benchmark of the engine ran on, without importing torch."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

from benchmarks.engine_rows import GB, Machine
from undercard import settings
from undercard.hardware.probe import this_device

PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "safetensors")


def this_machine() -> Machine:
    """Describe this machine; without a card, it is `cpu`."""
    device = this_device(settings.load())
    gpu = device.gpus[0] if device.gpus else None
    return Machine(
        gpu=gpu.name if gpu else "cpu",
        vram_gb=round(gpu.total_bytes / GB, 1) if gpu else 0.0,
        cpu=_cpu(),
        cores=device.cores,
        host_gb=round(device.host_bytes / GB, 1),
        software={"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES},
    )


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()

"""diffusers' sequential offload in bf16: today's pain, kept as the baseline.

Exact, and the slowest way on a card: 41 GB of weights pass through ordinary host memory at each step.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from undercard import qwen, settings, weights
from undercard.backends import Renderer, Rung, Work
from undercard.borrowed.costs import rungs_offloaded
from undercard.devices import Device


@dataclass(frozen=True, slots=True)
class CpuOffloadBackend:
    """diffusers' pipeline behind the contract of every backend."""

    name: str = "cpu-offload"
    family: str = "qwen-image-edit"
    revision: int = 1
    exact: bool = True
    prompted: bool = True
    animates: bool = False
    in_child: bool = True

    def rungs(self, work: Work, device: Device) -> tuple[Rung, ...]:
        """Return its one way: a layer at a time, or all of it on the processor."""
        return rungs_offloaded(self.name, work, device, settings.load().steps, qwen.model_architecture())

    def unavailable(self, device: Device) -> str | None:
        """Say what is missing: a card, the packages, or the weights."""
        return qwen.missing(device)

    def open(self, device: Device, rung: Rung) -> AbstractContextManager[Renderer]:
        """Open the pipeline.

        Raises:
            BackendUnavailable: it cannot run here.
            OutOfMemory: in the stage `open`.
            BadCheckpoint: the LoRA is another model's.
        """
        folder = qwen.require(self.name, self.unavailable(device))
        # Only a backend that opens needs torch.
        from undercard.borrowed import renderer
        from undercard.borrowed.offloaded import Offloaded

        model = Offloaded(folder, settings.load().steps, weights.lora())
        return renderer.opened(model.load, qwen.torch_device(device), rung)


BACKEND = CpuOffloadBackend()

"""diffusers' sequential offload in bf16: today's pain, kept as the baseline.

Exact, and the slowest way on a card: 41 GB of weights pass through ordinary host memory at each step.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from undercard.backends import Needs, Renderer, Rung, Work
from undercard.backends.qwen import bf16
from undercard.backends.qwen.costs import ENCODER_BYTES, HOST_BYTES, VAE_WEIGHT_BYTES
from undercard.backends.vendors.costs import Costs, copy_rate, open_seconds
from undercard.domain.unavailable import Unavailable
from undercard.hardware import devices
from undercard.hardware.devices import Device
from undercard.models import lightning, weights
from undercard.models.fingerprint import recipe
from undercard.settings import Settings
from undercard.store import Store


@dataclass(frozen=True, slots=True)
class CpuOffloadBackend:
    """diffusers' pipeline behind the contract of every backend."""

    name: str = "cpu-offload"
    family: str = "qwen-image-edit"
    revision: int = 1
    exact: bool = True
    prompted: bool = True
    draws_itself: bool = False
    animates: bool = False
    in_child: bool = True

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        """Return its one way: a layer at a time, or all of it on the processor."""
        asked = weights.steps(self.name, settings) * lightning.passes(self.name, settings)
        costs = Costs(work, asked, bf16.told_architecture(self.name, settings))
        weight_bytes = costs.transformer_bytes + ENCODER_BYTES + VAE_WEIGHT_BYTES
        gpu = device.gpu
        if gpu is None:
            return (costs.on_the_processor(self.name, device, weight_bytes, exact=True),)
        copied_bytes = costs.steps * costs.transformer_bytes + ENCODER_BYTES
        seconds = costs.steps * costs.computing_seconds(gpu) + costs.stage_seconds(gpu)
        needs = Needs(
            vram_bytes=max(costs.activation_bytes, costs.picture_bytes),
            host_bytes=HOST_BYTES + weight_bytes,
            seconds=seconds + copied_bytes / copy_rate(gpu),
            open_seconds=open_seconds(weight_bytes),
        )
        limit = max(devices.allocatable_bytes(gpu), needs.vram_bytes)
        return (Rung(self.name, exact=True, needs=needs, detail="layer by layer", vram_limit=limit),)

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        """Say what is missing: a card, the packages, or the weights."""
        return bf16.missing(self.name, device, settings)

    def recipe(self, settings: Settings, steps: int = 0) -> str:
        """Return what decides its pixels: the weights and guidance, as of every exact backend."""
        return recipe(self.name, settings, steps=steps, guidance=lightning.guidance(self.name, settings))

    def open(self, device: Device, rung: Rung, settings: Settings) -> AbstractContextManager[Renderer]:
        """Open the pipeline.

        Raises:
            BackendUnavailable: it cannot run here.
            OutOfMemory: in the stage `open`.
            BadCheckpoint: the LoRA is another model's.
        """
        found = bf16.require(self.name, self.unavailable(device, settings), settings)
        # Only a backend that opens needs torch.
        from undercard.backends.vendors import renderer
        from undercard.backends.vendors.offloaded import Offloaded

        store, guidance = Store(settings.store_root), lightning.guidance(self.name, settings)
        model = Offloaded(found.folder, found.steps, store, found.lora, found.lora_strength, guidance)
        return renderer.opened(model.load, bf16.place_of(device), rung)


BACKEND = CpuOffloadBackend()

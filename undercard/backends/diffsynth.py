"""DiffSynth-Studio with its weights in fp8: as much of the transformer stays on the card as its limit allows.

Its fp8 has no scales, and every prompt brings the text encoder to the card again: `fp8` of the engine gives better
pictures in a thirtieth of the time. It is here for those who work with DiffSynth.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from undercard.backends import Needs, Renderer, Rung, Work
from undercard.backends.qwen import bf16
from undercard.backends.qwen.costs import ENCODER_BYTES, FRAGMENT_BYTES, HOST_BYTES, VAE_WEIGHT_BYTES
from undercard.backends.vendors.costs import Costs, block_bytes, copy_rate, open_seconds
from undercard.domain.unavailable import Unavailable
from undercard.hardware import devices
from undercard.hardware.devices import Device, Gpu
from undercard.models import weights
from undercard.settings import Settings
from undercard.store import Store

NEEDED = (*bf16.NEEDED, "diffsynth", "torchvision")
CAST_BYTES_PER_SECOND = 2.9e9
"""Of bf16 that the processor casts from fp8 and copies to a card: measured 8.73 s a step on the host of an H100 with 16
cores, 25 of 60 blocks resident (benchmarks/results/backends.h100.json)."""


@dataclass(frozen=True, slots=True)
class DiffsynthBackend:
    """DiffSynth's pipeline behind the contract of every backend."""

    name: str = "diffsynth"
    family: str = "qwen-image-edit"
    revision: int = 1
    exact: bool = False
    prompted: bool = True
    draws_itself: bool = False
    animates: bool = False
    in_child: bool = True

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        """Return DiffSynth with as many blocks on the card as fit, and with none."""
        costs = Costs(work, weights.steps(self.name, settings), bf16.told_architecture(self.name, settings))
        gpu = device.gpu
        if gpu is None:
            return (costs.on_the_processor(self.name, device, _weight_bytes(costs), exact=False),)
        room = devices.allocatable_bytes(gpu) - FRAGMENT_BYTES - costs.activation_bytes
        most = min(costs.model.blocks, max(0, room) // (block_bytes(costs.model) // 2))
        return tuple(self._rung(costs, gpu, kept) for kept in sorted({most, 0}, reverse=True))

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        """Say what is missing: a card, the packages, or the weights."""
        return bf16.missing(self.name, device, settings, NEEDED, extra="diffsynth")

    def heeds(self, settings: Settings) -> frozenset[str]:
        """Return the number of steps, which is its pipeline's to choose for each picture."""
        return frozenset({"steps"})

    def open(self, device: Device, rung: Rung, settings: Settings) -> AbstractContextManager[Renderer]:
        """Open the pipeline as *rung* says.

        Raises:
            BackendUnavailable: it cannot run here.
            OutOfMemory: in the stage `open`.
            BadCheckpoint: DiffSynth does not know the checkpoint, or the LoRA is another model's.
        """
        found = bf16.require(self.name, self.unavailable(device, settings), settings)
        # Only a backend that opens needs torch.
        from undercard.backends.vendors import operators, renderer

        operators.declare_missing()
        # This one imports transformers, which imports torchvision.
        from undercard.backends.vendors.studio import Studio

        kept_bytes = rung.resident_blocks * block_bytes(bf16.told_architecture(self.name, settings)) // 2
        model = Studio(
            found.folder, found.steps, Store(settings.store_root), kept_bytes, found.lora, found.lora_strength
        )
        return renderer.opened(model.load, bf16.place_of(device), rung)

    def _rung(self, costs: Costs, gpu: Gpu, kept: int) -> Rung:
        """Return the rung that keeps that many blocks on the card from one step to the next."""
        kept_bytes = kept * block_bytes(costs.model) // 2
        # What stays is brought and taken back once a keyframe, as the encoder and the autoencoder come between; the
        # rest is cast to bf16 before it is copied, at each step.
        copied_bytes = costs.steps * (costs.transformer_bytes - 2 * kept_bytes) + 2 * kept_bytes + ENCODER_BYTES
        seconds = costs.steps * costs.computing_seconds(gpu) + costs.stage_seconds(gpu)
        needs = Needs(
            vram_bytes=max(kept_bytes + costs.activation_bytes, costs.picture_bytes),
            host_bytes=HOST_BYTES + _weight_bytes(costs),
            seconds=seconds + copied_bytes / min(CAST_BYTES_PER_SECOND, copy_rate(gpu)),
            open_seconds=open_seconds(costs.transformer_bytes + ENCODER_BYTES),
        )
        return Rung(
            backend=self.name,
            exact=False,
            needs=needs,
            detail=f"{kept} of {costs.model.blocks} blocks resident",
            vram_limit=max(devices.allocatable_bytes(gpu), needs.vram_bytes),
            resident_blocks=kept,
        )


def _weight_bytes(costs: Costs) -> int:
    """Return what lies in host memory: transformer and text encoder in fp8, the autoencoder in bf16."""
    return (costs.transformer_bytes + ENCODER_BYTES) // 2 + VAE_WEIGHT_BYTES


BACKEND = DiffsynthBackend()

"""What a keyframe takes in somebody else's engine, before it is opened.

The engine's own costs (engine_costs.py) say how much there is to compute; here stands what each of these engines keeps
where, and how slowly it brings it to the card. "Measured" is on one H100 80 GB with PCIe 5.
"""

from __future__ import annotations

from dataclasses import dataclass

from undercard.backends import Needs, Rung, Work
from undercard.backends.qwen import costs
from undercard.backends.qwen.costs import (
    ENCODER_SECONDS,
    HOST_BYTES,
    PIXELS_A_TOKEN_SIDE,
    READ_BYTES_PER_SECOND,
    REFERENCE_TOKENS,
    START_SECONDS,
    STORAGES,
    VAE_DECODE_SECONDS_A_PIXEL,
    VAE_ENCODE_SECONDS,
)
from undercard.hardware import card_speed, devices
from undercard.hardware.devices import Device, Gpu
from undercard.models.architecture import BF16_BYTES, Architecture

PAGEABLE_BYTES_PER_SECOND = 5.5e9
"""From ordinary host memory to a card, a layer at a time: measured 7.77 s a step for 40.9 GB on one host and 5.33 on
another, of which 0.41 s compute (`sequential` in benchmarks/results/engine.h100.json)."""
SLOWNESS = 1.42
"""Times as long as the engine's kernels that diffusers' take to compute a step: measured 0.416 and 0.292 s."""
ACTIVATION_BYTES_A_WIDTH = 36
"""Peak bytes of activations for a token of one channel in diffusers' own block, by its profile."""
VAE_BYTES_A_PIXEL = 4250
"""Of diffusers' autoencoder, whole: measured a peak of 4.49 GB for a keyframe of 1024² whose layers come one by one,
and 4.4 GB more for 1080×1920 than for 1024²."""


@dataclass(frozen=True, slots=True)
class Costs:
    """A whole model in bf16 that does one kind of work in somebody else's engine."""

    work: Work
    steps: int
    model: Architecture

    @property
    def transformer_bytes(self) -> int:
        """The transformer in bf16, modulation included: 40.9 GB."""
        return self.model.blocks * block_bytes(self.model) + self.model.rest_bytes

    @property
    def activation_bytes(self) -> int:
        """What a step takes on the card beside the weights that stay there: activations, and one layer."""
        tokens = self._ours.image_tokens + self._ours.text_tokens
        largest_layer = BF16_BYTES * 6 * self.model.width * self.model.width
        return ACTIVATION_BYTES_A_WIDTH * self.model.width * tokens + largest_layer

    @property
    def picture_bytes(self) -> int:
        """What the autoencoder takes, whole."""
        width, height = self.work.size
        # References are brought to about 1024² before they are encoded.
        reference = REFERENCE_TOKENS * PIXELS_A_TOKEN_SIDE**2 if self.work.references else 0
        return VAE_BYTES_A_PIXEL * max(width * height, reference)

    def computing_seconds(self, gpu: Gpu) -> float:
        """Return what a step computes on *gpu*, with nothing to wait for."""
        return SLOWNESS * self._ours.step_operations / (card_speed.EFFICIENCY * card_speed.tensor_rate(gpu))

    def stage_seconds(self, gpu: Gpu) -> float:
        """Return what the autoencoder and the text encoder compute for a keyframe on *gpu*."""
        decoding = VAE_DECODE_SECONDS_A_PIXEL * self.work.size[0] * self.work.size[1]
        computing = decoding + VAE_ENCODE_SECONDS * self.work.references + ENCODER_SECONDS
        return computing * card_speed.slowness(gpu)

    def on_the_processor(self, backend: str, device: Device, weight_bytes: int, *, exact: bool) -> Rung:
        """Return the way to compute without a card, with *weight_bytes* of weights in memory."""
        rate = card_speed.CPU_CORE_RATE * max(device.cores, 1)
        needs = Needs(
            vram_bytes=0,
            host_bytes=HOST_BYTES + weight_bytes + max(self.activation_bytes, self.picture_bytes),
            seconds=self.steps * self._ours.step_operations / rate,
            open_seconds=open_seconds(weight_bytes),
        )
        return Rung(backend, exact=exact, needs=needs, detail="on the processor")

    @property
    def _ours(self) -> costs.Costs:
        return costs.Costs(STORAGES["bf16-plain"], self.work, self.steps, self.model)


def block_bytes(model: Architecture) -> int:
    """Return what a block takes in bf16, the modulation of both streams included."""
    modulation_weights = 2 * 6 * (model.width + 1) * model.width
    return BF16_BYTES * (model.block_weights + modulation_weights)


def copy_rate(gpu: Gpu) -> float:
    """Return bytes a second from ordinary host memory to *gpu*, which its link may make fewer."""
    return min(PAGEABLE_BYTES_PER_SECOND, devices.copy_rate(gpu))


def open_seconds(weight_bytes: float) -> float:
    """Return what comes before the first keyframe: imports, and *weight_bytes* from the page cache."""
    return START_SECONDS + weight_bytes / READ_BYTES_PER_SECOND

"""What a keyframe takes in somebody else's engine, before it is opened.

The engine's own costs (engine_costs.py) say how much there is to compute; here stands what each of these engines keeps
where, and how slowly it brings it to the card. "Measured" is on one H100 80 GB with PCIe 5.
"""

from __future__ import annotations

from dataclasses import dataclass

from undercard import card_speed, devices
from undercard.backends import Needs, Rung, Work
from undercard.devices import Device, Gpu
from undercard.engine_costs import (
    BF16_BYTES,
    ENCODER_BYTES,
    ENCODER_SECONDS,
    HOST_BYTES,
    PIXELS_A_TOKEN_SIDE,
    READ_BYTES_PER_SECOND,
    REFERENCE_TOKENS,
    START_SECONDS,
    STORAGES,
    VAE_DECODE_SECONDS_A_PIXEL,
    VAE_ENCODE_SECONDS,
    VAE_WEIGHT_BYTES,
    Architecture,
    Costs,
)

PAGEABLE_BYTES_PER_SECOND = 5.5e9
"""From ordinary host memory to a card, a layer at a time: measured 7.77 s a step for 40.9 GB, of which 0.41 s compute
(`sequential` in benchmarks/results/engine.h100.json)."""
SLOWNESS = 1.4
"""Times as long as the engine's kernels that diffusers' take to compute a step: measured 0.412 and 0.2995 s."""
ACTIVATION_BYTES_A_WIDTH = 36
"""Peak bytes of activations for a token of one channel in diffusers' own block, by its profile."""
VAE_BYTES_A_PIXEL = 4250
"""Of diffusers' autoencoder, whole: measured a peak of 4.49 GB for a keyframe of 1024² whose layers come one by one,
and 4.4 GB more for 1080×1920 than for 1024²."""


@dataclass(frozen=True, slots=True)
class Borrowed:
    """A whole model in bf16, doing one kind of work in an engine that takes diffusers' steps."""

    work: Work
    steps: int
    model: Architecture

    @property
    def modulation_weights(self) -> int:
        """Weights of a block's modulation, for both streams."""
        return 2 * 6 * (self.model.width + 1) * self.model.width

    @property
    def transformer_bytes(self) -> int:
        """The transformer in bf16, modulation included: 40.9 GB."""
        return self.model.blocks * self.block_bytes + self.model.rest_bytes

    @property
    def block_bytes(self) -> int:
        """One block in bf16, modulation included."""
        return BF16_BYTES * (self.model.block_weights + self.modulation_weights)

    @property
    def layer_bytes(self) -> int:
        """The largest layer in bf16."""
        return BF16_BYTES * 6 * self.model.width * self.model.width

    @property
    def work_bytes(self) -> int:
        """What comes on top of the weights on the card: activations of a step, or the autoencoder's whole picture."""
        tokens = self._costs.image_tokens + self._costs.text_tokens
        width, height = self.work.size
        # References are brought to about 1024² before they are encoded.
        reference = REFERENCE_TOKENS * PIXELS_A_TOKEN_SIDE**2 if self.work.references else 0
        picture = VAE_BYTES_A_PIXEL * max(width * height, reference)
        return max(ACTIVATION_BYTES_A_WIDTH * self.model.width * tokens + self.layer_bytes, picture)

    def step_seconds(self, gpu: Gpu, copied_bytes: float) -> float:
        """Return what a step takes on *gpu* that copies *copied_bytes* and then computes, one after the other."""
        computing = SLOWNESS * self._costs.step_operations / (card_speed.EFFICIENCY * card_speed.tensor_rate(gpu))
        return copied_bytes / copy_rate(gpu) + computing

    def stage_seconds(self, gpu: Gpu) -> float:
        """Return what the autoencoder and the text encoder compute for a keyframe on *gpu*."""
        decoding = VAE_DECODE_SECONDS_A_PIXEL * self.work.size[0] * self.work.size[1]
        computing = decoding + VAE_ENCODE_SECONDS * self.work.references + ENCODER_SECONDS
        return computing * card_speed.slowness(gpu)

    def open_seconds(self, read_bytes: float) -> float:
        """Return what comes before the first keyframe: imports, and *read_bytes* of weights from the page cache."""
        return START_SECONDS + read_bytes / READ_BYTES_PER_SECOND

    def on_the_processor(self, backend: str, device: Device, weight_bytes: int, *, exact: bool) -> Rung:
        """Return the way to compute without a card, with *weight_bytes* of weights in memory."""
        rate = card_speed.CPU_CORE_RATE * max(device.cores, 1)
        needs = Needs(
            vram_bytes=0,
            host_bytes=HOST_BYTES + weight_bytes + self.work_bytes,
            seconds=self.steps * self._costs.step_operations / rate,
            open_seconds=self.open_seconds(weight_bytes),
        )
        return Rung(backend, exact=exact, needs=needs, detail="on the processor")

    @property
    def _costs(self) -> Costs:
        return Costs(STORAGES["bf16-plain"], self.work, self.steps, self.model)


def copy_rate(gpu: Gpu) -> float:
    """Return bytes a second from ordinary host memory to *gpu*, which its link may make fewer."""
    return min(PAGEABLE_BYTES_PER_SECOND, devices.copy_rate(gpu))


def rungs_offloaded(backend: str, work: Work, device: Device, steps: int, model: Architecture) -> tuple[Rung, ...]:
    """Return the one way to run diffusers' sequential offload on the first card of *device*, or on the processor."""
    costs = Borrowed(work, steps, model)
    weight_bytes = costs.transformer_bytes + ENCODER_BYTES + VAE_WEIGHT_BYTES
    gpu = device.gpu
    if gpu is None:
        return (costs.on_the_processor(backend, device, weight_bytes, exact=True),)
    seconds = steps * costs.step_seconds(gpu, costs.transformer_bytes) + costs.stage_seconds(gpu)
    needs = Needs(
        vram_bytes=costs.work_bytes,
        host_bytes=HOST_BYTES + weight_bytes,
        seconds=seconds + ENCODER_BYTES / copy_rate(gpu),
        open_seconds=costs.open_seconds(weight_bytes),
    )
    limit = max(devices.allocatable_bytes(gpu), needs.vram_bytes)
    return (Rung(backend, exact=True, needs=needs, detail="layer by layer", vram_limit=limit),)

"""What one keyframe through the Qwen-Image-Edit engine takes on a card: memory and seconds, before anything is opened.

Every constant of the model stands here with its source; "measured" is on one H100 80 GB with PCIe 5, full-size random
weights, torch 2.11, and files named `*.h100.json` lie in benchmarks/results. What a run measures corrects the result
afterwards (planning/measurements.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from undercard.backends import Work
from undercard.hardware import card_speed, devices
from undercard.hardware.devices import Gpu
from undercard.models.architecture import BF16_BYTES, QWEN_IMAGE_EDIT, Architecture

# ---- the step
STEP_OVERHEAD_SECONDS = 0.005
"""Launches, embedding and projection: measured 0.294 s a step with all blocks resident, 0.290 of it in kernels."""
DECODE_BYTES_PER_SECOND = 2.3e12
"""Read and written by a decoding kernel: 0.342 ms for a packed block of 226.5 M weights (decode.h100.json)."""
OVERLAP = 11.0
"""How well copying hides behind computing: (computing^p + copying^p)^(1/p). Both use the card's memory, so the sum is
above the greater where they are close: 0.392 s with no block resident, 0.313 with 17, 0.292 with all (bf16 with one
reference in engine.h100.json)."""
FRAGMENT_BYTES = 250_000_000
"""What torch's allocator reserves above its peak, measured 0.13 to 0.25 GB; a cap on it counts that too."""

# ---- tokens
PIXELS_A_TOKEN_SIDE = 16
"""The VAE makes 8 pixels of a side one, and the transformer takes two by two."""
REFERENCE_TOKENS = 4096
"""The pipeline resizes every reference to about 1024² pixels."""
PROMPT_TOKENS, VISION_TOKENS = 150, 220
"""Of a prompt, and for each reference: as the text encoder sees it (384² pixels, 28 a token's side: 188), and what the
prompt says of it, some 30 words."""
ACTIVATION_BYTES_A_WIDTH = 21.9
"""Peak bytes of activations for a token of one channel with fused kernels: a measured peak of 1.813 GB with no resident
block, one decoded, two stored, leaves 0.57 GB for 8,542 tokens of 3,072 channels. diffusers' own block takes 36."""

FOUR_BIT_GAIN = 2.0
"""How many times as fast as in bf16 products are in four bits, quantising the activations included: an estimate. Tensor
cores from Turing to Ada give four to eight times the operations; the paper measured 3.0 for a whole model
(SVDQuant, arXiv:2411.05007, figure 1). No card with int4 in its tensor cores was at hand."""
FOUR_BIT_BYTES_A_WIDTH = 4 * (2 + 0.53)
"""What a token of one channel takes besides in the second product of the feed-forward, whose input is four times as
wide: shifted by GELU's least value in bf16, and quantised with a scale for 64. By counting."""

# ---- the VAE
VAE_WEIGHT_BYTES = 254_000_000
VAE_BYTES_A_PIXEL = 20.2 * 96
"""Peak of the layers at full resolution for a pixel of 96 channels, whole: measured 2.03 GB at 1024² and 4.05 at
1088×1920 (engine/vae_memory.py foresees both)."""
VAE_TILED_SHARES = (1.0, 0.57, 0.42, 0.34, 0.29, 0.23)
"""Of that peak, whole and in two to six strips of a picture of 1024²; larger ones can be cut finer."""
VAE_FREE_SHARE = 0.9
"""Of what is free, what tiles are chosen to fit (engine/vae_memory.py)."""
VAE_DECODE_SECONDS_A_PIXEL = 1.14e-7
"""Of a whole picture: measured 0.26 s at 1080×1920 in two strips (benchmarks/README.md), which `VAE_STRIP_SLOWDOWN`
makes 0.236 s whole."""
VAE_ENCODE_SECONDS = 0.067
"""For a reference, about 1024²: a keyframe takes 0.212 s besides its steps with one reference and 0.279 s with two
(medians of 46 rows each in engine.h100.json)."""
VAE_BESIDE_BYTES = 105_000_000
"""On the card while the autoencoder works, apart from its peak and the weights: by so much the peaks of
engine.h100.json exceed those, in every format and under every cap."""
VAE_STRIP_SLOWDOWN = 1.1
"""Rows that neighbouring strips both compute, 1.02 to 1.06 of the work, and smaller kernels; an estimate."""

# ---- host memory and opening
RING = 3
"""Blocks in host memory when they are read from disk (engine/sources.py)."""
DISK_BYTES_PER_SECOND = 2.0e9
"""Of an ordinary NVMe drive, an estimate; 1.7 GB/s was measured on a virtual machine's (engine_cold.h100.json)."""
HOST_BYTES = 3_540_000_000
"""Python, torch, CUDA's libraries and what encoding and loading hold: peaks of 23.96 GB with 20.42 GB of blocks and of
17.14 GB with 13.61 GB (bf16 and fp8 in backends.h100.json, pinned_gb in engine.h100.json)."""
READ_BYTES_PER_SECOND = 5.0e9
"""A checkpoint in the page cache → pinned memory with several threads: measured 3.4 to 6.6 s for 27 GB."""
START_SECONDS = 8.0
"""Importing torch and diffusers, a context, the tables (1.1 s) and the kernels' first compilation (3.5 s)."""
ENCODER_BYTES, ENCODER_SECONDS = 16_600_000_000, 0.024
"""Qwen2.5-VL 7B in bf16, which passes the card once a film, and its measured time for a prompt."""
ENCODER_HOST_BYTES = 11_900_000_000
"""Of it in host memory meanwhile: its layers packed, 7.16e9 weights, and the embedding of its words in bf16. By
counting (engine/text_streaming.py)."""


@dataclass(frozen=True, slots=True)
class Storage:
    """How the weights of a block lie in memory, as far as their cost goes."""

    name: str
    bytes_a_weight: float
    exact: bool = False
    """Decodes to the very bf16 weights of the checkpoint."""
    in_file: bool = False
    """Lies on disk in this form: nothing is encoded when it is read."""
    lora: bool = False
    """A LoRA is added to every block that was decoded, which reads and writes it once more."""
    four_bits: bool = False
    """Products take the weights as they lie, with activations in four bits too."""

    @property
    def decoded(self) -> bool:
        """Decoded block by block into a buffer of one block in bf16, rather than used as it lies."""
        return self.bytes_a_weight != BF16_BYTES and not self.four_bits

    @property
    def decoding_bytes(self) -> float:
        """What decoding a weight reads and writes."""
        return self.bytes_a_weight + (3 if self.lora else 1) * BF16_BYTES


STORAGES = {
    storage.name: storage
    for storage in (
        Storage("bf16-plain", 2.0, exact=True),
        # Twelve bits a weight, and what does not fit them: 20.42 GB measured for 13.59e9.
        Storage("bf16", 1.503, exact=True),
        Storage("fp8", 1.0),
        Storage("int8", 1.0),
        # A half, and one bf16 magnitude for 64.
        Storage("nf4", 0.5 + 2 / 64),
        # Of ggml's blocks of 256 weights: 144, 176 and 210 bytes; of 32 weights: 34.
        Storage("gguf-q4-k", 144 / 256, in_file=True),
        Storage("gguf-q5-k", 176 / 256, in_file=True),
        Storage("gguf-q6-k", 210 / 256, in_file=True),
        Storage("gguf-q8-0", 34 / 32, in_file=True),
        # Scales of a whole layer, or one a row.
        Storage("fp8-file", 1.0, in_file=True),
        # A block of 226.5 M weights takes 127.6 MB at rank 32 (decode.h100.json).
        Storage("svdq-int4", 0.5634, in_file=True),
        Storage("svdq-int4-as-it-lies", 0.5634, in_file=True, four_bits=True),
    )
}


@dataclass(frozen=True, slots=True)
class Costs:
    """The engine with one storage format, doing one kind of work."""

    storage: Storage
    work: Work
    steps: int = 4
    model: Architecture = QWEN_IMAGE_EDIT
    from_disk: bool = False
    """Blocks are read at each step into a ring of buffers, and none is kept in host memory."""
    passes: int = 1
    """Of each step: two where the prompt is weighed against the negative one."""

    @property
    def asked(self) -> int:
        """How often the transformer is asked for a picture."""
        return self.steps * self.passes

    @property
    def stored_bytes(self) -> int:
        """One block as it lies in host memory and passes to the card."""
        return int(self.model.block_weights * self.storage.bytes_a_weight)

    @property
    def raw_bytes(self) -> int:
        """One block in bf16, as it is computed with and as it stays on the card."""
        return BF16_BYTES * self.model.block_weights

    @property
    def resident_bytes(self) -> int:
        """One block that stays on the card: decoded, unless it is never decoded at all."""
        return self.stored_bytes if self.storage.four_bits else self.raw_bytes

    @property
    def image_tokens(self) -> int:
        """Tokens of the picture and its references."""
        width, height = (math.ceil(side / PIXELS_A_TOKEN_SIDE) for side in self.work.size)
        return width * height + REFERENCE_TOKENS * self.work.references

    @property
    def text_tokens(self) -> int:
        """Tokens of the prompt and of the references as the text encoder sees them."""
        return PROMPT_TOKENS + VISION_TOKENS * self.work.references

    @property
    def tokens(self) -> int:
        """Tokens of both streams."""
        return self.image_tokens + self.text_tokens

    @property
    def linear_operations(self) -> float:
        """Float operations of a step's products with weights: two a weight and token."""
        return self.model.blocks * 2.0 * 12 * self.model.width**2 * self.tokens

    @property
    def step_operations(self) -> float:
        """Float operations of a denoising step: its products with weights, and attention over every pair of tokens."""
        return self.linear_operations + self.model.blocks * 4.0 * self.tokens**2 * self.model.width

    @property
    def activation_bytes(self) -> int:
        """What a step takes beside the weights, at its peak."""
        a_width = ACTIVATION_BYTES_A_WIDTH + (FOUR_BIT_BYTES_A_WIDTH if self.storage.four_bits else 0.0)
        return int(a_width * self.model.width * self.tokens)

    def kept_bytes(self, resident: int) -> int:
        """Return what lies on the card through every stage: resident blocks, buffers, tables, the VAE's weights."""
        return self._rest_bytes + resident * self.resident_bytes + self._buffer_bytes

    @property
    def _rest_bytes(self) -> int:
        return self.model.rest_bytes + self.model.table_bytes(self.steps) + VAE_WEIGHT_BYTES

    @property
    def _buffer_bytes(self) -> int:
        if not self.storage.decoded:
            return 2 * self.resident_bytes
        return 2 * self.stored_bytes + self.raw_bytes

    def vae_bytes(self, free_bytes: int) -> int:
        """Return the autoencoder's peak beside its weights, in the fewest strips that fit *free_bytes*, or the most."""
        whole = self._whole_bytes
        shares = (share for share in VAE_TILED_SHARES if share * whole <= VAE_FREE_SHARE * free_bytes)
        return int(next(shares, VAE_TILED_SHARES[-1]) * whole)

    @property
    def _whole_bytes(self) -> float:
        width, height = self.work.size
        # References are encoded whole at about 1024², whatever the size of the picture.
        reference = REFERENCE_TOKENS * PIXELS_A_TOKEN_SIDE**2 if self.work.references else 0
        return VAE_BYTES_A_PIXEL * max(width * height, reference)

    def whole_vram_bytes(self, resident: int) -> int:
        """Return what the allocator needs for the autoencoder to work on whole pictures, the CUDA context apart."""
        return self.kept_bytes(resident) + max(self.activation_bytes, int(self._whole_bytes / VAE_FREE_SHARE))

    @property
    def whole_alone_bytes(self) -> int:
        """What the allocator needs for whole pictures once the blocks have left the card to the autoencoder."""
        return self._rest_bytes + int(self._whole_bytes / VAE_FREE_SHARE) + FRAGMENT_BYTES

    def least_vram_bytes(self, resident: int) -> int:
        """Return the least that the allocator can do with, the CUDA context apart."""
        return self.vram_bytes(resident, 0)

    def vram_bytes(self, resident: int, limit: int) -> int:
        """Return the allocator's peak when it may take *limit*; the CUDA context comes on top of it.

        Where a whole picture does not fit beside the blocks, they leave the card to the autoencoder meanwhile.
        """
        kept = self.kept_bytes(resident)
        if self.fits_whole(limit - kept):
            return kept + max(self.activation_bytes, int(self._whole_bytes) + VAE_BESIDE_BYTES)
        strips = self.vae_bytes(limit - self._rest_bytes) + VAE_BESIDE_BYTES
        return max(kept + self.activation_bytes, self._rest_bytes + strips)

    def fits_whole(self, free_bytes: int) -> bool:
        """Say whether the autoencoder takes whole pictures in *free_bytes*."""
        return self._whole_bytes <= VAE_FREE_SHARE * free_bytes

    def host_bytes(self) -> int:
        """Return the peak in host memory: every block is kept there, pinned, whether or not it stays on the card.

        Before the first of them is read the prompts are encoded, and the text encoder lies there.
        """
        blocks = (RING if self.from_disk else self.model.blocks) * self.stored_bytes
        return HOST_BYTES + max(blocks, int(self._share * ENCODER_HOST_BYTES))

    @property
    def _share(self) -> float:
        """What the model has of the published one's weights, and, it is taken, its text encoder too."""
        published = QWEN_IMAGE_EDIT.blocks * QWEN_IMAGE_EDIT.block_weights
        return self.model.blocks * self.model.block_weights / published

    def step_seconds(self, resident: int, gpu: Gpu) -> float:
        """Return what a denoising step takes: blocks are copied while others are computed."""
        streamed = self.model.blocks - resident
        weights = streamed * self.model.block_weights * self.storage.decoded
        # Decoding is bound by the card's memory, whose speed goes roughly with its arithmetic.
        decoding = weights * self.storage.decoding_bytes / DECODE_BYTES_PER_SECOND
        decoding *= card_speed.slowness(gpu)
        saved = (1 - 1 / FOUR_BIT_GAIN) * self.linear_operations if self.storage.four_bits else 0.0
        computing = (self.step_operations - saved) / (card_speed.EFFICIENCY * card_speed.tensor_rate(gpu)) + decoding
        rate = min(devices.copy_rate(gpu), DISK_BYTES_PER_SECOND) if self.from_disk else devices.copy_rate(gpu)
        copying = streamed * self.stored_bytes / rate
        together = math.pow(computing**OVERLAP + copying**OVERLAP, 1 / OVERLAP)
        return together + STEP_OVERHEAD_SECONDS

    def seconds(self, resident: int, gpu: Gpu, limit: int) -> float:
        """Return what a keyframe takes once the engine is warm: encode, denoise and decode, in *limit* bytes."""
        whole = self.fits_whole(limit - self._rest_bytes)
        decoding = VAE_DECODE_SECONDS_A_PIXEL * self.work.size[0] * self.work.size[1]
        vae = decoding + VAE_ENCODE_SECONDS * self.work.references
        stages = vae * (1.0 if whole else VAE_STRIP_SLOWDOWN) + self.passes * ENCODER_SECONDS
        return self.asked * self.step_seconds(resident, gpu) + stages * card_speed.slowness(gpu)

    def open_seconds(self) -> float:
        """Return what comes before the first keyframe: the blocks into pinned memory, the encoder past the card."""
        weights = self.model.blocks * self.model.block_weights
        blocks = weights * (self.storage.bytes_a_weight if self.storage.in_file else BF16_BYTES)
        return START_SECONDS + (blocks + self._share * ENCODER_BYTES) / READ_BYTES_PER_SECOND

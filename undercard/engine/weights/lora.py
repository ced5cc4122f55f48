"""Fusing a LoRA into the weights of a transformer as they pass, bit for bit as diffusers and peft fuse it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from diffusers import QwenImageTransformer2DModel
from torch import Tensor, nn

from undercard.domain.keys import content_key
from undercard.engine.files.checkpoint import Checkpoint, open_checkpoint
from undercard.engine.files.lora_file import Pair, pairs_of
from undercard.engine.weights import modulation
from undercard.engine.weights.blocks import Layout
from undercard.engine.weights.loading import Amend
from undercard.engine.weights.modulation import Stream

BLOCKS = "transformer_blocks"
MODULATIONS = ("img_mod.1", "txt_mod.1")
AHEAD = 2
"""Blocks whose factors are read while another is fused; 14 MB each at rank 64."""
READERS = 4

Factors = tuple[Tensor, Tensor]
"""down (rank, inputs) and up (outputs, rank), bf16, in host memory, with their share of alpha / rank."""


@dataclass(frozen=True)
class Lora:
    """The layers that a LoRA file changes, all of which the model has; the factors are read when they are fused."""

    checkpoint: Checkpoint
    pairs: Mapping[str, Pair]
    """By diffusers' name of the layer, in the order of the model."""
    model_layers: int
    """How many linear layers the model has."""

    def __str__(self) -> str:
        ranks = sorted({pair.rank for pair in self.pairs.values()})
        return (
            f"{self.checkpoint.source.name}: {len(self.pairs)} of the model's {self.model_layers} linear layers, "
            f"rank {', '.join(map(str, ranks))}"
        )

    def digest(self, strength: float = 1.0) -> str:
        """Return a key that another LoRA, or this one at another *strength*, does not share."""
        return content_key({"lora": self.checkpoint.digest(), "scales": self._scales, "strength": strength})

    @property
    def _scales(self) -> dict[str, list[float]]:
        # The metadata scale too, and the checkpoint's digest leaves them out.
        return {name: [pair.down_scale, pair.up_scale, pair.scale] for name, pair in self.pairs.items()}

    @cached_property
    def blocks(self) -> Mapping[int, Mapping[str, Pair]]:
        """Each block's pairs by the layer's name within it, modulation apart."""
        blocks: dict[int, dict[str, Pair]] = {}
        for name, pair in self.pairs.items():
            if name.startswith(f"{BLOCKS}."):
                _, number, layer = name.split(".", 2)
                if layer not in MODULATIONS:
                    blocks.setdefault(int(number), {})[layer] = pair
        return blocks

    def amend(self, strength: float = 1.0) -> Amend:
        """Return what fuses the LoRA into a block's flat buffer where that lies, for `loading.load`.

        The factors of the next blocks are read by threads meanwhile. On the device it takes the bytes of the largest
        matrix for a moment: 75 MB.

        Args:
            strength: what the LoRA is multiplied by; diffusers' `lora_scale`.

        Raises:
            BadCheckpoint: in the returned function, if the file became shorter.
        """
        ahead = _Ahead(self)

        def fuse(block: int, layout: Layout, raw: Tensor) -> None:
            with torch.no_grad():
                for layer, pair, factors in ahead.take(block, pin=raw.is_cuda):
                    layout.view(raw, f"{layer}.weight").add_(_difference(pair, factors, strength, raw.device))

        return fuse

    def fused(self, weights: modulation.Weights, strength: float = 1.0) -> modulation.Weights:
        """Return *weights* with the LoRA in them, fused on the device where they are given."""

        def pair_of(block: int, stream: Stream) -> tuple[Tensor, Tensor]:
            weight, bias = weights(block, stream)
            pair = self.pairs.get(f"{BLOCKS}.{block}.{stream}_mod.1")
            if pair is None:
                return weight, bias
            with torch.no_grad():
                # Not into the weight itself: it may be a view of what is read into, or a model's parameter.
                return _difference(pair, read_factors(self.checkpoint, pair), strength, weight.device).add_(
                    weight
                ), bias

        return pair_of

    def rest(self, model: QwenImageTransformer2DModel, strength: float = 1.0) -> int:
        """Fuse into the layers before and after the blocks, which are loaded; return how many were changed.

        To be called before the modulation is computed, which asks `time_text_embed`.
        """
        outside = {name: pair for name, pair in self.pairs.items() if not name.startswith(f"{BLOCKS}.")}
        with torch.no_grad():
            for name, pair in outside.items():
                weight = model.get_submodule(name).weight
                weight.add_(_difference(pair, read_factors(self.checkpoint, pair), strength, weight.device))
        return len(outside)

    def fuse(self, model: nn.Module, device: torch.device, strength: float = 1.0) -> int:
        """Fuse into all layers of a *model* whose weights lie in host memory; return how many were changed.

        Each product is computed on *device*, so that the weights become what `amend` makes of them there.
        """
        for name in self.pairs:
            self.fuse_layer(name, model.get_parameter(f"{name}.weight"), device, strength)
        return len(self.pairs)

    def fuse_layer(self, name: str, weight: Tensor, device: torch.device, strength: float = 1.0) -> None:
        """Fuse into the *weight* of the layer that diffusers calls *name*, as `fuse` does; not every layer has a pair.

        Args:
            name: without `.weight`.
            weight: bf16 (outputs, inputs), in host memory; changed in place.
            device: where to compute.
            strength: as in `amend`.
        """
        if (pair := self.pairs.get(name)) is not None:
            with torch.no_grad():
                weight.add_(_difference(pair, read_factors(self.checkpoint, pair), strength, device).to(weight.device))


class _Ahead:
    """Reads the factors of the blocks that come next."""

    def __init__(self, lora: Lora) -> None:
        self.lora = lora
        self.pool = ThreadPoolExecutor(READERS, "lora")
        self.reads: dict[int, dict[str, Future[Factors]]] = {}

    def take(self, block: int, *, pin: bool) -> Iterator[tuple[str, Pair, Factors]]:
        """Yield the layers of *block*, and begin to read those of the next, to pinned memory if they go to a card."""
        for number in range(block, block + 1 + AHEAD):
            pairs = self.lora.blocks.get(number, {})
            if number not in self.reads:
                self.reads[number] = {
                    layer: self.pool.submit(read_factors, self.lora.checkpoint, pair, pin=pin)
                    for layer, pair in pairs.items()
                }
        for layer, read in self.reads.pop(block).items():
            yield layer, self.lora.blocks[block][layer], read.result()


def read_factors(checkpoint: Checkpoint, pair: Pair, *, pin: bool = False) -> Factors:
    """Return the factors of *pair*, in pinned memory if they go to a card.

    Raises:
        BadCheckpoint: the file became shorter.
    """
    # Scaled in the file's own type, and only then rounded: the order in which diffusers does it.
    down = (checkpoint.read(pair.down) * pair.down_scale).to(torch.bfloat16)
    up = (checkpoint.read(pair.up) * pair.up_scale).to(torch.bfloat16)
    return (down.pin_memory(), up.pin_memory()) if pin else (down, up)


def _difference(pair: Pair, factors: Factors, strength: float, device: torch.device) -> Tensor:
    """Return what is added to a weight, bf16, (outputs, inputs), as peft's `Linear.get_delta_weight` computes it.

    On a card the product itself is bfloat16; on the CPU peft multiplies and scales in float32 and rounds once.
    """
    # From pinned memory the copy is only queued; elsewhere the flag changes nothing.
    down, up = (factor.to(device, non_blocking=True) for factor in factors)
    if device.type == "cpu":
        return (up.float() @ down.float()).mul_(pair.scale * strength).to(torch.bfloat16)
    return (up @ down).mul_(pair.scale * strength)


def open_lora(path: Path, model: QwenImageTransformer2DModel, strength: float = 1.0) -> Lora:
    """Open the LoRA in the safetensors file at *path* for *model*, which may be on the meta device.

    To be called before the model's blocks are made to stream; the header and the alphas are read, no factor.

    Raises:
        BadCheckpoint: it is no LoRA, not one for this model, not whole, or of a kind that is not fused.
    """
    checkpoint = open_checkpoint(path)
    pairs = {name: replace(pair, scale=pair.scale * strength) for name, pair in pairs_of(checkpoint, model).items()}
    return Lora(checkpoint, pairs, sum(isinstance(module, nn.Linear) for module in model.modules()))

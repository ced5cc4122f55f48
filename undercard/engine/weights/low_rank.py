"""A LoRA added to blocks when they are decoded: for weights that cannot be changed where they lie.

A file that is quantised already has no bfloat16 weights to fuse into, and to encode its blocks anew would add another
error to theirs. So the factors pass to the card with their block, 14 MB at rank 64 beside 127 MB of Q4_K_M, and one
product a matrix adds them to what was decoded: a sum in float32 that is rounded once (docs/decisions/0011).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from undercard.engine.files.checkpoint import Entry
from undercard.engine.files.lora_file import Pair
from undercard.engine.files.stored import StoredModel
from undercard.engine.weights.blocks import ALIGNMENT, Layout
from undercard.engine.weights.codecs import Codec
from undercard.engine.weights.loading import Blocks
from undercard.engine.weights.lora import BLOCKS, Lora, read_factors

SAMPLE_LAYERS = 4
PRESENT = 0.5
"""Midway between weights without the LoRA, whose share of it is near 0, and weights with it, whose share is 1 more."""


@dataclass(frozen=True, slots=True)
class LowRank:
    """A codec, and behind what it keeps of a block the factors that are added to the matrices it decodes."""

    inner: Codec
    pairs: Mapping[str, Pair]
    """By the layer's name within its block."""
    exact: bool = field(default=False, init=False)
    plain: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """As `stored with a LoRA`."""
        return f"{self.inner.name} with a LoRA"

    def capacity(self, layout: Layout) -> int:
        """Return where the last factor ends."""
        return max((end for _, _, _, end in self._places(layout)), default=self.inner.capacity(layout))

    def expected(self, layout: Layout) -> int:
        """Return the same: every part has a fixed size."""
        return self.capacity(layout)

    def encode(self, layout: Layout, raw: Tensor, kept: Tensor) -> Tensor:
        """Use nothing: what is stored was made elsewhere."""
        return torch.tensor(0, device=kept.device)

    def decode(self, layout: Layout, kept: Tensor, raw: Tensor) -> None:
        """Decode, then add."""
        self.inner.decode(layout, kept[: self.inner.capacity(layout)], raw)
        with torch.no_grad():
            for layer, (down, up) in self.factors(layout, kept).items():
                layout.view(raw, f"{layer}.weight").addmm_(up, down, alpha=self.pairs[layer].scale)

    def factors(self, layout: Layout, kept: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Return the views of *kept* that hold each layer's factors: down (rank, inputs), up (outputs, rank), bf16."""
        views = [
            (layer, kept[start:end].view(torch.bfloat16).view(shape))
            for layer, shape, start, end in self._places(layout)
        ]
        return {layer: (down, up) for (layer, down), (_, up) in zip(views[::2], views[1::2], strict=True)}

    def _places(self, layout: Layout) -> Iterator[tuple[str, tuple[int, int], int, int]]:
        """Yield layer, shape, start and end of each factor, the down of a layer before its up."""
        end = self.inner.capacity(layout)
        for layer, pair in self.pairs.items():
            outputs, inputs = layout.by_name[f"{layer}.weight"].shape
            for shape in ((pair.rank, inputs), (outputs, pair.rank)):
                start = -(-end // ALIGNMENT) * ALIGNMENT
                end = start + 2 * math.prod(shape)
                yield layer, shape, start, end


@dataclass(frozen=True, slots=True)
class WithLora:
    """Blocks on disk, and a LoRA that is read beside them."""

    blocks: Blocks
    lora: Lora

    @property
    def layout(self) -> Layout:
        """How each lies once it is decoded."""
        return self.blocks.layout

    @property
    def count(self) -> int:
        """How many there are."""
        return self.blocks.count

    @property
    def files(self) -> Mapping[Path, Entry]:
        """One entry for each file of the blocks."""
        return self.blocks.files

    def codec(self, block: int) -> LowRank:
        """Return what decodes *block* and adds to it."""
        return LowRank(self.blocks.codec(block), self.lora.blocks.get(block, {}))

    def submit(self, pool: Executor, files: Mapping[Path, int], block: int, target: Tensor) -> list[Future[None]]:
        """Begin to read *block* and its factors into *target*, uint8, (codec(block).capacity(layout),)."""
        codec = self.codec(block)
        places = codec.factors(self.layout, target)
        reads = self.blocks.submit(pool, files, block, target[: codec.inner.capacity(self.layout)])
        return reads + [pool.submit(self._read, codec.pairs[layer], here) for layer, here in places.items()]

    # The places may have been named while a model computes, and only in this mode may such views be written to.
    @torch.inference_mode()
    def _read(self, pair: Pair, places: Sequence[Tensor]) -> None:
        for value, place in zip(read_factors(self.lora.checkpoint, pair), places, strict=True):
            place.copy_(value)


def is_in(lora: Lora, stored: StoredModel) -> bool:
    """Say whether the weights of *stored* have *lora* in them already: added again, it would count twice.

    Told by their share of it, ⟨W, Δ⟩ / ⟨Δ, Δ⟩ over a few layers: matrices of millions of numbers that know nothing of
    each other are all but orthogonal, and what four bits lose is as good as random.
    """
    along = length = 0.0
    for weight, difference in _samples(lora, stored):
        along += float((weight.double() * difference.double()).sum())
        length += float(difference.double().square().sum())
    return length > 0 and along / length > PRESENT


def _samples(lora: Lora, stored: StoredModel) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield weights and what the LoRA adds to each, of layers that are spread over the blocks."""
    names = [name for name in lora.pairs if name.startswith(f"{BLOCKS}.")]
    chosen = names[:: max(1, len(names) // SAMPLE_LAYERS)][:SAMPLE_LAYERS]
    with torch.no_grad():
        for name, weight in _decoded(stored, chosen):
            pair = lora.pairs[name]
            down, up = read_factors(lora.checkpoint, pair)
            yield weight, (up.float() @ down.float()).mul_(pair.scale)


def _decoded(stored: StoredModel, layers: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
    for name, parts in stored.read(f"{layer}.weight" for layer in layers):
        yield name.removesuffix(".weight"), stored.parameters[name].decoded(parts)

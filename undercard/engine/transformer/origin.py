"""Where the weights of a transformer come from: a folder in bfloat16, or one file that is quantised already."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch
from diffusers import QwenImageTransformer2DModel

from undercard.engine.files.checkpoint import Checkpoint
from undercard.engine.files.stored import StoredModel
from undercard.engine.transformer import stored_blocks, transformer
from undercard.engine.weights import modulation
from undercard.engine.weights.codecs import codec_named
from undercard.engine.weights.kept import Kept
from undercard.engine.weights.loading import BlockReader, Blocks, load, load_as_it_lies
from undercard.engine.weights.lora import Lora
from undercard.engine.weights.low_rank import WithLora


class Origin(Protocol):
    """The weights of a transformer on disk."""

    def digest(self) -> str:
        """Return a key that other weights do not share."""

    def blocks(self, model: QwenImageTransformer2DModel, lora: Lora | None) -> Blocks:
        """Return the blocks as they are read, with *lora* beside them where it cannot be fused; no weight is read.

        Raises:
            BadCheckpoint: the weights are not those of *model*.
        """

    def load(self, blocks: Blocks, lora: Lora | None, device: torch.device) -> list[Kept]:
        """Read every block into host memory, *lora* fused or beside it.

        Raises:
            BadCheckpoint: a file ended early.
            torch.OutOfMemoryError: the card has no room for two blocks.
        """

    def load_rest(self, model: QwenImageTransformer2DModel, device: torch.device) -> None:
        """Bring to *device* what lies before and after the blocks."""

    def modulation(self, count: int, device: torch.device) -> AbstractContextManager[modulation.Weights]:
        """Return what gives the modulation's weights of *count* blocks."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The bf16 weights of a model's folder, kept in host memory as *codec* has them."""

    checkpoint: Checkpoint
    codec: str

    def digest(self) -> str:
        """Return a key that other weights do not share."""
        return self.checkpoint.digest()

    def blocks(self, model: QwenImageTransformer2DModel, _lora: Lora | None) -> BlockReader:
        """Return a reader of the blocks."""
        return transformer.block_reader(model, self.checkpoint)

    def load(self, blocks: Blocks, lora: Lora | None, device: torch.device) -> list[Kept]:
        """Read, fuse and encode every block."""
        assert isinstance(blocks, BlockReader)
        return load(blocks, codec_named(self.codec), device, lora.amend() if lora else None)

    def load_rest(self, model: QwenImageTransformer2DModel, device: torch.device) -> None:
        """Read what lies before and after the blocks."""
        transformer.load_rest(model, self.checkpoint, device)

    def modulation(self, count: int, device: torch.device) -> AbstractContextManager[modulation.Weights]:
        """Return what reads the modulation's weights."""
        return transformer.modulation_weights(self.checkpoint, count, device)


@dataclass(frozen=True, slots=True)
class File:
    """A file of quantised weights, whose blocks are kept as they lie there."""

    stored: StoredModel

    def digest(self) -> str:
        """Return a key that other weights do not share."""
        return self.stored.digest()

    def blocks(self, model: QwenImageTransformer2DModel, lora: Lora | None) -> Blocks:
        """Return a reader of the blocks, which a LoRA joins when they are decoded."""
        reader = stored_blocks.block_reader(model, self.stored)
        return reader if lora is None else WithLora(reader, lora)

    def load(self, blocks: Blocks, _lora: Lora | None, device: torch.device) -> list[Kept]:
        """Read every block."""
        return load_as_it_lies(blocks, device)

    def load_rest(self, model: QwenImageTransformer2DModel, device: torch.device) -> None:
        """Read and decode what lies before and after the blocks."""
        stored_blocks.load_rest(model, self.stored, device)

    def modulation(self, count: int, device: torch.device) -> AbstractContextManager[modulation.Weights]:
        """Return what reads and decodes the modulation's weights."""
        return stored_blocks.modulation_weights(self.stored, count, device)

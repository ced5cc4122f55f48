"""The text encoder and its processor: opened without torchvision, run without the head that speaks."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
)

from undercard.errors import BadCheckpoint


class PictureProcessor(Qwen2VLProcessor):  # type: ignore[misc]  # transformers counts as Any
    """Qwen2-VL's processor of prompts and pictures, without the one for videos, which alone needs torchvision."""

    # transformers reads the parts of a processor from this signature: what is not named here is never looked for.
    def __init__(
        self,
        image_processor: Qwen2VLImageProcessorPil,
        tokenizer: Qwen2Tokenizer,
        chat_template: str | None = None,
    ) -> None:
        super(Qwen2VLProcessor, self).__init__(image_processor, tokenizer, chat_template=chat_template)
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)


def open_processor(folder: Path) -> PictureProcessor:
    """Open the processor of a checkpoint in diffusers' layout; *folder* holds `processor/`."""
    source = folder / "processor"
    return PictureProcessor(Qwen2VLImageProcessorPil.from_pretrained(source), Qwen2Tokenizer.from_pretrained(source))


class Headless(nn.Module):
    """Qwen2.5-VL up to its last hidden states; the head that speaks takes 1.1 GB and answers nothing here.

    Args:
        encoder: what to take it from.
        picture_positions: place the tokens of pictures in rows and columns, as the model was trained. transformers 5
            does so only when it is told which tokens they are, which diffusers 0.42.1 does not pass on (its issue
            14194): as it ships, a picture is read as one long line. False gives the pixels of diffusers as it ships.
    """

    def __init__(self, encoder: Qwen2_5_VLForConditionalGeneration, *, picture_positions: bool = False) -> None:
        super().__init__()
        self.model = encoder.model
        self.dtype: torch.dtype = encoder.dtype
        self.picture_token: int | None = encoder.config.image_token_id if picture_positions else None

    def forward(self, **inputs: Any) -> Any:
        """Return what the whole encoder would, less its logits; a cache for further words is not kept either."""
        if self.picture_token is not None and "mm_token_type_ids" not in inputs:
            inputs["mm_token_type_ids"] = (inputs["input_ids"] == self.picture_token).int()
        return self.model(use_cache=False, **inputs)


class HostEmbedding(nn.Module):
    """A table of word embeddings that stays in host memory (1.1 GB): only the rows that are asked for move."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        # In a tuple, so that moving the model to a device does not take the table along.
        self._weight = (weight,)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (batch, tokens, width) on the device of *tokens*, (batch, tokens)."""
        return functional.embedding(tokens.cpu(), self._weight[0]).to(tokens.device)


def open_encoder(folder: Path) -> Qwen2_5_VLForConditionalGeneration:
    """Load the text encoder of a checkpoint in diffusers' layout into host memory, in bf16 (16.6 GB)."""
    encoder = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder / "text_encoder", dtype=torch.bfloat16, local_files_only=True
    )
    return encoder.eval().requires_grad_(False)


def encoder_skeleton(folder: Path) -> Qwen2_5_VLForConditionalGeneration:
    """Return the text encoder without its weights, for a streamer: parameters on `meta`, buffers filled."""
    config = Qwen2_5_VLConfig.from_pretrained(folder / "text_encoder")
    with init_empty_weights(include_buffers=False):
        encoder = Qwen2_5_VLForConditionalGeneration._from_config(config, dtype=torch.bfloat16)
    return encoder.eval().requires_grad_(False)


def encoder_layers(encoder: Qwen2_5_VLForConditionalGeneration) -> list[tuple[str, nn.ModuleList]]:
    """Return the stacks of like layers that can be streamed, each with the prefix of its parameters' names."""
    return [
        ("model.visual.blocks", encoder.model.visual.blocks),
        ("model.language_model.layers", encoder.model.language_model.layers),
    ]


def encoder_rest(encoder: Qwen2_5_VLForConditionalGeneration) -> dict[str, nn.Parameter]:
    """Return the parameters outside of those stacks, less the head that `Headless` does without."""
    stacks = tuple(f"{name}." for name, _ in encoder_layers(encoder))
    return {
        name: parameter for name, parameter in encoder.named_parameters() if not name.startswith((*stacks, "lm_head."))
    }


def stored_name(name: str, stored: Container[str]) -> str:
    """Return the name in the file of the encoder's parameter *name*.

    The published checkpoints were written by transformers 4, before the language model became a part of its own.

    Raises:
        BadCheckpoint: the file has it under neither name.
    """
    older = name.replace("model.language_model.", "model.", 1).replace("model.visual.", "visual.", 1)
    for candidate in (name, older):
        if candidate in stored:
            return candidate
    raise BadCheckpoint(f"the text encoder's file has neither {name!r} nor {older!r}; it is not Qwen2.5-VL's")

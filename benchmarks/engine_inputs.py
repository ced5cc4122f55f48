"""What every mode and rung of the engine's benchmark is given: the same pictures of noise and the same embeddings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.engine_models import TINY_TRANSFORMER
from benchmarks.engine_rows import SIZE, TEXT_TOKENS, TINY_SIZE, TINY_TEXT_TOKENS

PATCH = 16
"""Pixels on a side of what one token stands for."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one keyframe is made from, by the sizes of a checkpoint."""

    size: tuple[int, int]
    """Of the picture and of every reference, (width, height) px."""
    text_tokens: int
    embedding_width: int

    def references(self, count: int) -> list[Image.Image]:
        """Return *count* RGB pictures of noise."""
        width, height = self.size
        drawn = (np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8) for seed in range(count))
        return [Image.fromarray(pixels) for pixels in drawn]

    def embeddings(self, device: torch.device) -> torch.Tensor:
        """Return what a text encoder might say of a prompt: bf16, shape (1, tokens, width)."""
        generator = torch.Generator().manual_seed(0)
        return torch.randn(1, self.text_tokens, self.embedding_width, generator=generator).to(device, torch.bfloat16)


def inputs_of(checkpoint: Path) -> Inputs:
    """Return the inputs for *checkpoint*: full size, or a few pixels for the tiny one of a dry run.

    Raises:
        OSError: it has no configuration of a transformer.
    """
    config = json.loads((checkpoint / "transformer" / "config.json").read_text("utf-8"))
    tiny = config["num_layers"] == TINY_TRANSFORMER["num_layers"]
    size, tokens = (TINY_SIZE, TINY_TEXT_TOKENS) if tiny else (SIZE, TEXT_TOKENS)
    return Inputs(size, tokens, config["joint_attention_dim"])


def step_of(checkpoint: Path, device: torch.device) -> dict[str, Any]:
    """Return random inputs of one step of the transformer, the timestep apart: a picture and a reference of its size.

    Raises:
        OSError: the checkpoint has no configuration of a transformer.
    """
    inputs = inputs_of(checkpoint)
    across, down = (side // PATCH for side in inputs.size)
    latents = torch.randn(1, 2 * across * down, 64, generator=torch.Generator().manual_seed(0))
    return {
        "hidden_states": latents.to(device, torch.bfloat16),
        "encoder_hidden_states": inputs.embeddings(device),
        "encoder_hidden_states_mask": None,
        "img_shapes": [[(1, down, across)] * 2],
        "return_dict": False,
    }

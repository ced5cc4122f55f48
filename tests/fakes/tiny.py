"""Tiny random Qwen-Image-Edit checkpoints in the true on-disk layout: the same files and names, less of each."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from diffusers import AutoencoderKLQwenImage, ModelMixin, QwenImageEditPlusPipeline, QwenImageTransformer2DModel
from PIL import Image
from transformers import (
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessorPil,
)

from undercard.engine.stages.schedule import lightning
from undercard.engine.text.encoder import PictureProcessor

SPECIAL_TOKENS = [
    "<|endoftext|>",
    *("<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>"),
    *("<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>"),
]
TEXT_WIDTH = 64
Module = TypeVar("Module", bound=torch.nn.Module)


def build(folder: Path, *, dim: int = 64, layers: int = 2, zero_cond_t: bool = True, sharded: bool = True) -> Path:
    """Write a checkpoint into *folder* and return it.

    Args:
        folder: where; made when missing.
        dim: the transformer's inner width, a multiple of 64; Q4_K blocks need 256.
        layers: the transformer's blocks.
        zero_cond_t: as in Qwen-Image-Edit-2511; False as in 2509.
        sharded: the transformer as several safetensors files with an index; one file otherwise.
    """
    tokenizer = byte_tokenizer()
    pipeline = QwenImageEditPlusPipeline(
        scheduler=lightning(),
        vae=filled(autoencoder(), seed=1),
        text_encoder=filled(text_encoder(tokenizer), seed=2),
        tokenizer=tokenizer,
        processor=PictureProcessor(Qwen2VLImageProcessorPil(min_pixels=56 * 56, max_pixels=28 * 28 * 1280), tokenizer),
        transformer=filled(transformer(dim, layers, zero_cond_t=zero_cond_t), seed=3),
    )
    pipeline.save_pretrained(folder)
    if sharded:
        for part in ("transformer", "text_encoder"):
            shard(pipeline.components[part], folder / part)
    # As transformers 4 wrote it, and as it lies in the published checkpoints.
    processor = folder / "processor"
    pipeline.processor.image_processor.to_json_file(processor / "preprocessor_config.json")
    (processor / "processor_config.json").unlink()
    index = folder / "model_index.json"
    parts = json.loads(index.read_text())
    parts["processor"] = ["transformers", "Qwen2VLProcessor"]
    index.write_text(json.dumps(parts, indent=2))
    return folder


def shard(module: PreTrainedModel | ModelMixin, folder: Path) -> None:
    """Replace the one file of weights in *folder* by several with an index."""
    for path in folder.glob("*.safetensors"):
        path.unlink()
    size_bytes = sum(value.nbytes for value in module.state_dict().values())
    module.save_pretrained(folder, max_shard_size=size_bytes // 3)


def filled(module: Module, seed: int) -> Module:
    """Give every parameter of *module* random bf16 values: biases too, so that a swapped one shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(module.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() > 1 and min(parameter.shape[:2]) > 1:
            value = noise / math.sqrt(parameter[0].numel())
        else:
            value = noise * 0.1 + (0.0 if name.endswith("bias") else 1.0)
        parameter.data = value.to(torch.bfloat16)
    return module.eval().requires_grad_(False)


def transformer(dim: int = 64, layers: int = 2, *, zero_cond_t: bool = True) -> QwenImageTransformer2DModel:
    heads = 4
    width = dim // heads
    frame = width // 8 * 2
    row = (width - frame) // 4 * 2
    return QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=64,
        out_channels=16,
        num_layers=layers,
        attention_head_dim=width,
        num_attention_heads=heads,
        joint_attention_dim=TEXT_WIDTH,
        guidance_embeds=False,
        axes_dims_rope=(frame, row, width - frame - row),
        zero_cond_t=zero_cond_t,
    )


def autoencoder(base: int = 8, residuals: int = 1) -> AutoencoderKLQwenImage:
    """The VAE of the real checkpoint, at a twelfth of its 96 channels and half of its 2 residual blocks."""
    return AutoencoderKLQwenImage(
        base_dim=base,
        z_dim=16,
        dim_mult=[1, 2, 4, 4],
        num_res_blocks=residuals,
        temperal_downsample=[False, True, True],
    )


def byte_tokenizer() -> Qwen2Tokenizer:
    """Qwen2's byte-level tokenizer without a single merge, so that every byte is a token."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    # The bytes that print stand for themselves; the rest take the code points from 256 on, as in GPT-2's encoder.
    letters = [chr(byte) for byte in printable] + [chr(256 + place) for place in range(len(others))]
    vocabulary = {letter: number for number, letter in enumerate(letters)} | {SPECIAL_TOKENS[0]: 256}
    return Qwen2Tokenizer(
        vocab=vocabulary, merges=[], additional_special_tokens=SPECIAL_TOKENS[1:], padding_side="left"
    )


def text_encoder(tokenizer: Qwen2Tokenizer) -> Qwen2_5_VLForConditionalGeneration:
    token = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL_TOKENS}
    language = {
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 2 * TEXT_WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": -(-len(tokenizer) // 8) * 8,
        "max_position_embeddings": 8192,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]},
        "bos_token_id": token["<|endoftext|>"],
        "eos_token_id": token["<|im_end|>"],
        "pad_token_id": token["<|endoftext|>"],
    }
    vision = {
        "depth": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_heads": 2,
        "out_hidden_size": TEXT_WIDTH,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
        "fullatt_block_indexes": [1],
    }
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(
            text_config=language,
            vision_config=vision,
            image_token_id=token["<|image_pad|>"],
            video_token_id=token["<|video_pad|>"],
            vision_start_token_id=token["<|vision_start|>"],
            vision_end_token_id=token["<|vision_end|>"],
            tie_word_embeddings=False,
        )
    )


def picture(seed: int, size: tuple[int, int] = (64, 64)) -> Image.Image:
    """Return a picture of noise, RGB; *size* is (width, height) px."""
    width, height = size
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def latents(size: tuple[int, int], dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return latents of noise, always the same, shape (1, 16, 1, *size); *size* is (height, width)."""
    return torch.randn(1, 16, 1, *size, generator=torch.Generator().manual_seed(0)).to(dtype)

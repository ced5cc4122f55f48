"""The sizes of Qwen-Image-Edit-2511's parts: configurations, and the names and shapes of their tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

Config = dict[str, object]

# Configurations as published at https://huggingface.co/Qwen/Qwen-Image-Edit-2511.
TRANSFORMER: Config = {
    "_class_name": "QwenImageTransformer2DModel",
    "attention_head_dim": 128,
    "axes_dims_rope": [16, 56, 56],
    "guidance_embeds": False,
    "in_channels": 64,
    "joint_attention_dim": 3584,
    "num_attention_heads": 24,
    "num_layers": 60,
    "out_channels": 16,
    "patch_size": 2,
    "zero_cond_t": True,
}
# 256 channels, as Q4_K's blocks ask for, and 128, as nunchaku's tiles do.
TINY_TRANSFORMER: Config = TRANSFORMER | {
    "joint_attention_dim": 64,
    "num_attention_heads": 2,
    "num_layers": 2,
}
VAE: Config = {
    "_class_name": "AutoencoderKLQwenImage",
    "attn_scales": [],
    "base_dim": 96,
    "dim_mult": [1, 2, 4, 4],
    "dropout": 0.0,
    "num_res_blocks": 2,
    "temperal_downsample": [False, True, True],
    "z_dim": 16,
}
TINY_VAE: Config = VAE | {"base_dim": 8, "num_res_blocks": 1}
LANGUAGE: Config = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "max_position_embeddings": 128_000,
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
    "vocab_size": 152_064,
}
TINY_LANGUAGE: Config = LANGUAGE | {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 1,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 6, 6]},
    "vocab_size": 512,
}
VISION: Config = {
    "depth": 32,
    "fullatt_block_indexes": [7, 15, 23, 31],
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "out_hidden_size": 3584,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "window_size": 112,
}
FIRST_SPECIAL = 151_643
"""Number of the first special token in the published tokenizer; some read the others' numbers from nowhere else."""
TINY_VISION: Config = VISION | {
    "depth": 2,
    "fullatt_block_indexes": [1],
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 2,
    "out_hidden_size": 64,
}
SCHEDULER: Config = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    # Lightning's shift is the constant 3: sigmas of 1, 0.9, 0.75 and 0.5 in four steps
    # (https://huggingface.co/lightx2v/Qwen-Image-Lightning).
    "base_image_seq_len": 256,
    "base_shift": math.log(3),
    "max_image_seq_len": 8192,
    "max_shift": math.log(3),
    "num_train_timesteps": 1000,
    "shift": 1.0,
    "shift_terminal": None,
    "time_shift_type": "exponential",
    "use_dynamic_shifting": True,
}
INDEX: dict[str, object] = {
    "_class_name": "QwenImageEditPlusPipeline",
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "vae": ["diffusers", "AutoencoderKLQwenImage"],
    "transformer": ["diffusers", "QwenImageTransformer2DModel"],
    "text_encoder": ["transformers", "Qwen2_5_VLForConditionalGeneration"],
    "tokenizer": ["transformers", "Qwen2Tokenizer"],
    "processor": ["transformers", "Qwen2VLProcessor"],
}
SPECIAL_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
IMAGE_PROCESSOR: Config = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "processor_class": "Qwen2VLProcessor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "max_pixels": 12_845_056,
    "merge_size": 2,
    "min_pixels": 3136,
    "patch_size": 14,
    "temporal_patch_size": 2,
}


@dataclass(frozen=True, slots=True)
class Component:
    """A model of a pipeline, as it lies on disk."""

    folder: str
    stem: str
    """What the names of its files of weights begin with."""
    config: Config
    shapes: Mapping[str, tuple[int, ...]]
    """Shape of each tensor by its name in the checkpoint."""


def transformer_component(config: Config) -> Component:
    """Return the transformer of *config*: 20.4 B parameters in 60 blocks, or less."""
    from diffusers import QwenImageTransformer2DModel

    with torch.device("meta"):
        model = QwenImageTransformer2DModel.from_config(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return Component("transformer", "diffusion_pytorch_model", config, shapes)


def vae_component(*, tiny: bool) -> Component:
    """Return the VAE: 127 M parameters."""
    from diffusers import AutoencoderKLQwenImage

    config = TINY_VAE if tiny else VAE
    with torch.device("meta"):
        model = AutoencoderKLQwenImage.from_config(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return Component("vae", "diffusion_pytorch_model", config, shapes)


def text_encoder_component(vocabulary: Mapping[str, int], *, tiny: bool) -> Component:
    """Return Qwen2.5-VL: 8.3 B parameters; *vocabulary* gives the number of each special token."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    language = (TINY_LANGUAGE if tiny else LANGUAGE) | {
        "bos_token_id": vocabulary["<|endoftext|>"],
        "eos_token_id": vocabulary["<|im_end|>"],
        "pad_token_id": vocabulary["<|endoftext|>"],
    }
    config = Qwen2_5_VLConfig(
        text_config=language,
        vision_config=TINY_VISION if tiny else VISION,
        image_token_id=vocabulary["<|image_pad|>"],
        video_token_id=vocabulary["<|video_pad|>"],
        vision_start_token_id=vocabulary["<|vision_start|>"],
        vision_end_token_id=vocabulary["<|vision_end|>"],
        tie_word_embeddings=False,
    )
    with torch.device("meta"):
        model = Qwen2_5_VLForConditionalGeneration(config)
    # The published files have the names that transformers used before version 4.52.
    shapes = {
        name.replace("model.language_model.", "model.").replace("model.visual.", "visual."): tuple(tensor.shape)
        for name, tensor in model.state_dict().items()
    }
    written = json.loads(config.to_json_string())
    written |= {"architectures": ["Qwen2_5_VLForConditionalGeneration"], "dtype": "bfloat16"}
    return Component("text_encoder", "model", written, shapes)


def write_tokenizer(out: Path, *, tiny: bool) -> dict[str, int]:
    """Write a tokenizer of single bytes, and the processor's settings; return the number of each special token.

    Special tokens have the published numbers, except those of a *tiny* model, which has no rows for them.
    """
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    # One token a byte: enough to turn any prompt into about as many tokens as it has letters.
    vocabulary = {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()))}
    if not tiny:
        vocabulary |= {f"<|{number}|>": number for number in range(len(vocabulary), FIRST_SPECIAL)}
    vocabulary["<|endoftext|>"] = len(vocabulary)
    tokenizer = Qwen2Tokenizer(
        vocab=vocabulary, merges=[], additional_special_tokens=list(SPECIAL_TOKENS[1:]), padding_side="left"
    )
    tokenizer.save_pretrained(out / "tokenizer")
    tokenizer.save_pretrained(out / "processor")
    (out / "processor" / "preprocessor_config.json").write_text(json.dumps(IMAGE_PROCESSOR, indent=2))
    known = tokenizer.get_vocab()
    return {token: known[token] for token in SPECIAL_TOKENS}

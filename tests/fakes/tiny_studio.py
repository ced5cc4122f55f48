"""The tiny model for DiffSynth, whose own classes have the published sizes and which knows models by their tensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffsynth import configs
from diffsynth.core.loader import hash_model_file
from diffsynth.models import qwen_image_dit as dit
from diffsynth.models.qwen_image_text_encoder import QwenImageTextEncoder
from diffsynth.models.qwen_image_vae import QwenImageVAE
from torch import nn
from transformers import Qwen2_5_VLModel

from tests.fakes import tiny

PUBLISHED = {
    "transformer": ("qwen_image_dit", "diffsynth.models.qwen_image_dit.QwenImageDiT", "TinyDit"),
    "text_encoder": (
        "qwen_image_text_encoder",
        "diffsynth.models.qwen_image_text_encoder.QwenImageTextEncoder",
        "TinyEncoder",
    ),
    "vae": ("qwen_image_vae", "diffsynth.models.qwen_image_vae.QwenImageVAE", "TinyVae"),
}
"""Part of the model → what DiffSynth calls it, its class of the published size, and ours."""


class TinyDit(dit.QwenImageDiT):  # type: ignore[misc]  # DiffSynth counts as Any
    """DiffSynth's transformer with the measures of `tiny.transformer(width)`."""

    def __init__(self, width: int) -> None:
        nn.Module.__init__(self)
        theirs = tiny.transformer(width)
        heads, text = theirs.config["num_attention_heads"], theirs.config["joint_attention_dim"]
        self.pos_embed = dit.QwenEmbedRope(theta=10000, axes_dim=list(theirs.config["axes_dims_rope"]), scale_rope=True)
        self.time_text_embed = dit.TimestepEmbeddings(
            256, width, diffusers_compatible_format=True, scale=1000, align_dtype_to_timestep=False
        )
        self.txt_norm = dit.RMSNorm(text, eps=1e-6)
        self.img_in, self.txt_in = nn.Linear(64, width), nn.Linear(text, width)
        self.transformer_blocks = nn.ModuleList(
            dit.QwenImageTransformerBlock(dim=width, num_attention_heads=heads, attention_head_dim=width // heads)
            for _ in theirs.transformer_blocks
        )
        self.norm_out = dit.AdaLayerNorm(width, single=True)
        self.proj_out = nn.Linear(width, 64)


class TinyEncoder(QwenImageTextEncoder):  # type: ignore[misc]
    """DiffSynth's text encoder with the measures of `tiny.text_encoder()`."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.config = tiny.text_encoder(tiny.byte_tokenizer()).config
        self.model = Qwen2_5_VLModel(self.config)
        words = self.config.text_config
        self.lm_head = nn.Linear(words.hidden_size, words.vocab_size, bias=False)


class TinyVae(QwenImageVAE):  # type: ignore[misc]
    """DiffSynth's autoencoder with the measures of `tiny.autoencoder()`."""

    def __init__(self) -> None:
        super().__init__(base_dim=8, num_res_blocks=1)


def hash_of(folder: Path, part: str) -> str:
    """Return the digest by which DiffSynth knows *part* of the model in *folder*."""
    digest: str = hash_model_file([str(path) for path in sorted((folder / part).glob("*.safetensors"))])
    return digest


@contextmanager
def known(folder: Path, width: int = 64) -> Iterator[None]:
    """Let DiffSynth know the tiny model in *folder* as it knows the published one, for as long as the context lasts.

    Args:
        folder: from `tiny.build`.
        width: its transformer's.
    """
    layers = configs.VRAM_MANAGEMENT_MODULE_MAPS
    entries = []
    for part, (name, published, ours) in PUBLISHED.items():
        described = next(each for each in configs.MODEL_CONFIGS if each["model_class"] == published)
        options = {"extra_kwargs": {"width": width}} if part == "transformer" else {}
        entries.append(
            {
                **described,
                "model_hash": hash_of(folder, part),
                "model_name": name,
                "model_class": f"{__name__}.{ours}",
                **options,
            }
        )
        # The very map of the published class, and what mends that mends this.
        layers[f"{__name__}.{ours}"] = layers[published]
    configs.MODEL_CONFIGS.extend(entries)
    try:
        yield
    finally:
        for entry in entries:
            configs.MODEL_CONFIGS.remove(entry)
            del layers[entry["model_class"]]

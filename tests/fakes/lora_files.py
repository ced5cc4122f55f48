"""Random LoRAs for a tiny transformer, in the namings that are found in the wild."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import QwenImageTransformer2DModel
from safetensors.torch import save_file
from torch import Tensor, nn


@dataclass(frozen=True)
class Naming:
    """What a tool calls the tensors of one layer."""

    down: str = "lora_down.weight"
    up: str = "lora_up.weight"
    prefix: str = ""
    alpha: float | None = 1.3
    """At rank 4, no power of two: so that the rounding of its share shows."""
    flat: bool = False

    def of(self, layer: str, ending: str) -> str:
        return f"{self.prefix}{layer.replace('.', '_') if self.flat else layer}.{ending}"


PEFT = "lora_A.weight", "lora_B.weight"
NAMINGS: Mapping[str, Naming] = {
    "lightx2v": Naming(),
    "lightx2v, eighths as published": Naming(alpha=0.5),
    "lightx2v for ComfyUI": Naming(prefix="diffusion_model."),
    "lightx2v under diffusers' prefix": Naming(prefix="transformer."),
    "kohya": Naming(prefix="lora_unet_", flat=True),
    "peft": Naming(*PEFT, alpha=None),
    "peft with alpha": Naming(*PEFT),
    "peft under diffusers' prefix": Naming(*PEFT, prefix="transformer.", alpha=None),
    "peft for ComfyUI": Naming(*PEFT, prefix="diffusion_model.", alpha=None),
    "peft's default adapter": Naming("lora_A.default.weight", "lora_B.default.weight", alpha=None),
}


def linears(model: QwenImageTransformer2DModel) -> list[str]:
    """Name every linear layer."""
    return [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]


def tensors(
    model: QwenImageTransformer2DModel,
    naming: Naming = NAMINGS["lightx2v"],
    *,
    layers: Iterable[str] | None = None,
    rank: int | Callable[[str], int] = 4,
    dtype: torch.dtype = torch.float32,
) -> dict[str, Tensor]:
    """Return the tensors of a LoRA for *layers* of *model*, for all of them by default."""
    generator = torch.Generator().manual_seed(11)
    made: dict[str, Tensor] = {}
    for layer in linears(model) if layers is None else layers:
        linear = model.get_submodule(layer)
        of = rank if isinstance(rank, int) else rank(layer)
        made[naming.of(layer, naming.down)] = torch.randn(of, linear.in_features, generator=generator).to(dtype) * 0.2
        made[naming.of(layer, naming.up)] = torch.randn(linear.out_features, of, generator=generator).to(dtype) * 0.2
        if naming.alpha is not None:
            made[naming.of(layer, "alpha")] = torch.tensor(naming.alpha, dtype=dtype)
    return made


def write(path: Path, made: Mapping[str, Tensor], config: Mapping[str, object] | None = None) -> Path:
    """Write tensors to *path*; *config* is peft's, kept as diffusers keeps it."""
    metadata = {"format": "pt"}
    if config is not None:
        metadata["lora_adapter_metadata"] = json.dumps({f"transformer.{key}": value for key, value in config.items()})
    save_file(dict(made), path, metadata)
    return path


def writer(model: QwenImageTransformer2DModel, path: Path) -> Callable[..., Path]:
    """Return what writes a LoRA for *model* to *path*: naming, peft's config, and the options of `tensors`."""

    def made(naming: Naming = NAMINGS["lightx2v"], config: Mapping[str, object] | None = None, **options: Any) -> Path:
        return write(path, tensors(model, naming, **options), config)

    return made

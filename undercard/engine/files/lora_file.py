"""What a LoRA file holds: the layers it changes, under diffusers' names, each with its two factors and its scales.

Names come as LightX2V and kohya write them (`lora_down`, `lora_up`, `alpha`) and as peft does (`lora_A`, `lora_B`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from undercard.engine.files.checkpoint import Checkpoint
from undercard.errors import BadCheckpoint
from undercard.models.headers import plain_name

DOWN_UP = (".lora_down.weight", ".lora_up.weight")
NAMINGS = (DOWN_UP, (".lora_A.weight", ".lora_B.weight"), (".lora_A.default.weight", ".lora_B.default.weight"))
"""Endings of the names of the two factors; `default` is what peft calls an adapter that was given no name."""
ALPHA = ".alpha"
FLAT = "lora_unet_"
"""What kohya's tools put before a layer's name when they write its dots as underscores."""
ADAPTER = "lora_adapter_metadata"
"""Key of the metadata in which diffusers keeps peft's config."""
FLOATS = {torch.bfloat16, torch.float16, torch.float32}
SHOWN = 3
"""Names that a message lists before it only counts."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One layer's factors. What is added to its weight is `scale · (up · up_scale) @ (down · down_scale)`."""

    down: str
    """Name of the tensor (rank, inputs)."""
    up: str
    """Name of the tensor (outputs, rank)."""
    rank: int
    down_scale: float = 1.0
    up_scale: float = 1.0
    scale: float = 1.0


def pairs_of(checkpoint: Checkpoint, model: nn.Module) -> dict[str, Pair]:
    """Return the pair of every layer of *model* that the LoRA *checkpoint* changes; only its alphas are read.

    Args:
        checkpoint: of the file.
        model: a QwenImageTransformer2DModel, on any device, the meta device too.

    Raises:
        BadCheckpoint: it is no LoRA or one for another model, a tensor lacks its partner or its alpha, or factors
            do not fit each other or the layer.
    """
    if not checkpoint.entries:
        raise BadCheckpoint(f"{checkpoint.source} is an empty file: it holds no tensor; fetch it again")
    layers = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    found = _found(checkpoint)
    named = _named(checkpoint, found, layers)
    scale = _adapter_scale(checkpoint)
    pairs = {name: _pair(checkpoint, layer, *found[layer], scale) for name, layer in named.items()}
    _require_shapes(checkpoint, pairs, layers)
    return {name: pairs[name] for name in layers if name in pairs}


def _found(checkpoint: Checkpoint) -> dict[str, tuple[str, str]]:
    """Return the endings under which the file holds each of its layers, once every tensor is accounted for."""
    found: dict[str, tuple[str, str]] = {}
    for endings in NAMINGS:
        for name in checkpoint.entries:
            if name.endswith(endings):
                layer = name.removesuffix(endings[0]).removesuffix(endings[1])
                if found.setdefault(layer, endings) != endings:
                    raise BadCheckpoint(f"{checkpoint.source} holds {layer!r} in two namings; fetch the file again")
    if not found:
        raise BadCheckpoint(
            f"{checkpoint.source} is no LoRA: it holds tensors such as {min(checkpoint.entries)!r}, none of which is "
            "called lora_down, lora_up, lora_A or lora_B; weights of a whole model are not fused into another"
        )
    halves = {layer + ending for layer, endings in found.items() for ending in endings}
    if lonely := halves - checkpoint.entries.keys():
        raise BadCheckpoint(
            f"{checkpoint.source} lacks {_some(lonely)}, of which it has the other half; fetch the file again"
        )
    if unknown := checkpoint.entries.keys() - halves - {layer + ALPHA for layer in found}:
        raise BadCheckpoint(
            f"{checkpoint.source} holds {_some(unknown)} beside its {len(found)} pairs; only plain LoRA is fused, "
            "no DoRA, LoKr, bias or whole difference"
        )
    return found


def _named(checkpoint: Checkpoint, found: Iterable[str], layers: Iterable[str]) -> dict[str, str]:
    """Return what the file calls each layer that it changes, by diffusers' names.

    Raises:
        BadCheckpoint: the model lacks one; none is passed over, for half a LoRA gives a picture that nobody wants.
    """
    known = {name: name for name in layers}
    known |= {FLAT + name.replace(".", "_"): name for name in known}
    named: dict[str, str] = {}
    strange = []
    for layer in found:
        name = known.get(plain_name(layer))
        if name is None:
            strange.append(layer)
        elif named.setdefault(name, layer) != layer:
            raise BadCheckpoint(f"{checkpoint.source} holds {name!r} twice, as {named[name]!r} and as {layer!r}")
    if strange:
        raise BadCheckpoint(
            f"{checkpoint.source} is a LoRA for another model: {len(strange)} of its {len(named) + len(strange)} "
            f"layers are not in this one: {_some(strange)}"
        )
    return named


def _pair(
    checkpoint: Checkpoint, layer: str, down_ending: str, up_ending: str, scale: Callable[[str, int], float]
) -> Pair:
    down, up = layer + down_ending, layer + up_ending
    shapes = checkpoint[down].shape, checkpoint[up].shape
    if len(shapes[0]) != 2 or len(shapes[1]) != 2 or shapes[0][0] != shapes[1][1] or not shapes[0][0]:
        raise BadCheckpoint(
            f"{checkpoint.source}: the factors of {layer!r} are of different rank: {down_ending[1:]} is {shapes[0]} "
            f"and {up_ending[1:]} is {shapes[1]}; they should be (rank, inputs) and (outputs, rank)"
        )
    for name in (down, up):
        if checkpoint[name].dtype not in FLOATS:
            raise BadCheckpoint(f"{checkpoint.source}: {name} is {checkpoint[name].dtype}; give a bf16 or fp32 LoRA")
    rank = shapes[0][0]
    down_scale, up_scale = _alpha_scales(checkpoint, layer, rank, required=(down_ending, up_ending) == DOWN_UP)
    return Pair(down, up, rank, down_scale, up_scale, scale(plain_name(layer), rank))


def _alpha_scales(checkpoint: Checkpoint, layer: str, rank: int, *, required: bool) -> tuple[float, float]:
    """Share alpha / rank out to the two factors as diffusers' `get_alpha_scales` does.

    peft's files keep no alpha, and diffusers takes their scale for 1. Files with lora_down and lora_up are another
    matter: LightX2V's for Edit-2511 and 2512 say 8 at rank 64 (sgl-project/sglang#16935 and #17086,
    modelscope/DiffSynth-Studio#1241). Without it, diffusers 0.42 takes the scale for 1 if the names begin with
    `diffusion_model.` and changes nothing at all, in silence, if they do not. The one would be eight times too much
    and the other a schedule of 4 steps without its LoRA, so neither is guessed.
    """
    name = layer + ALPHA
    if name not in checkpoint:
        if required:
            raise BadCheckpoint(
                f"{checkpoint.source} lacks {name!r}, without which nobody knows how strong its lora_down and lora_up "
                "are meant to be; LightX2V's own files have it (8 at rank 64): fetch the published file"
            )
        return 1.0, 1.0
    alpha = checkpoint.read(name)
    down = alpha.item() / rank if alpha.numel() == 1 else math.nan
    if not 0 < down < math.inf:
        raise BadCheckpoint(f"{checkpoint.source}: {name!r} should be one positive number; fetch the file again")
    up = 1.0
    # Halves and doubles round nothing in bfloat16, so that neither factor comes close to its smallest number.
    while 2 * down < up:
        down, up = 2 * down, up / 2
    return down, up


def _adapter_scale(checkpoint: Checkpoint) -> Callable[[str, int], float]:
    """Return layer and rank → scale of the product, from the config that diffusers keeps beside peft's factors."""
    raw = checkpoint.metadata.get(ADAPTER)
    if raw is None:
        return lambda _layer, _rank: 1.0
    try:
        config = {plain_name(name): value for name, value in json.loads(raw).items()}
        common, rooted = float(config.get("lora_alpha", 8)), bool(config.get("use_rslora", False))
        # peft takes the keys for regular expressions (get_pattern_key); the first that fits wins.
        alphas = [
            (re.compile(rf"(.*\.)?({key})$"), float(alpha)) for key, alpha in config.get("alpha_pattern", {}).items()
        ]
    except (AttributeError, TypeError, ValueError, re.error) as exc:
        raise BadCheckpoint(f"{checkpoint.source}: its metadata {ADAPTER!r} cannot be read: {exc}") from exc

    def scale(layer: str, rank: int) -> float:
        fitting = (alpha for key, alpha in alphas if key.match(layer))
        return next(fitting, common) / (math.sqrt(rank) if rooted else rank)

    return scale


def _require_shapes(checkpoint: Checkpoint, pairs: Mapping[str, Pair], layers: Mapping[str, nn.Linear]) -> None:
    odd = []
    for name, pair in pairs.items():
        shape = checkpoint[pair.up].shape[0], checkpoint[pair.down].shape[1]
        if shape != (layers[name].out_features, layers[name].in_features):
            odd.append(f"{name} is {(layers[name].out_features, layers[name].in_features)}, not {shape}")
    if odd:
        raise BadCheckpoint(
            f"{checkpoint.source} is a LoRA for another model: {len(odd)} of its {len(pairs)} layers have other shapes "
            f"in this one: {_some(odd)}"
        )


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return ", ".join(ordered[:SHOWN]) + more

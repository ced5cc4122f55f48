"""Tiny transformers in every kind of quantised file that the engine reads, with their config beside them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from safetensors.torch import save_file
from torch import Tensor

from tests.engine.formats.kquants import ENCODERS
from tests.fakes import tiny
from tests.paths import DATA
from undercard.engine.files.nunchaku_file import NunchakuFile
from undercard.engine.files.open_stored import open_stored

NUNCHAKU = DATA / "nunchaku" / "svdq-int4_r16-tiny-qwen-image-edit.safetensors"
GGUF = ("q4_k_m", "q8_0")
FP8 = ("comfyui before", "comfyui now", "comfyui in metadata", "lightx2v", "plain cast")
KINDS = (*GGUF, *FP8, "svdq")
DIM = 256
"""K-quants lie in blocks of 256."""


def build(folder: Path, kind: str) -> Path:
    """Write a transformer of that *kind* into *folder*, beside its `config.json`, and return the file."""
    if kind == "svdq":
        file = open_stored(NUNCHAKU)
        assert isinstance(file, NunchakuFile)
        config = {**file.config, "_class_name": "QwenImageTransformer2DModel"}
        (folder / "config.json").write_text(json.dumps(config))
        return NUNCHAKU
    model = tiny.filled(tiny.transformer(dim=DIM), seed=3)
    model.save_config(folder)
    weights = {name: value.detach() for name, value in model.state_dict().items()}
    return _gguf(folder / "a.gguf", weights, kind) if kind in GGUF else _fp8(folder / "a.safetensors", weights, kind)


def _gguf(path: Path, weights: dict[str, Tensor], kind: str) -> Path:
    writer = GGUFWriter(path, arch="qwen_image")
    for name, value in weights.items():
        wide = value.float().numpy()
        stored = _type(name, value, kind)
        encoder = ENCODERS.get(f"gguf-{stored.lower().replace('_', '-')}")
        raw = encoder(wide) if encoder else quantize(wide, GGMLQuantizationType[stored])
        writer.add_tensor(name, np.ascontiguousarray(raw), raw_dtype=GGMLQuantizationType[stored])
    writer.add_tensor("__index_timestep_zero__", np.zeros(1, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _type(name: str, value: Tensor, kind: str) -> str:
    """Return the type of a tensor as llama.cpp's mixes have it: a few layers of some blocks in more bits."""
    if value.dim() == 1:
        return "F32"
    if not name.startswith("transformer_blocks.") or value.shape[1] % DIM:
        return "BF16"
    if kind == "q8_0":
        return "Q8_0"
    better = name.endswith(("attn.to_v.weight", "img_mlp.net.2.weight"))
    if better:
        return "Q6_K" if name.startswith("transformer_blocks.0.") else "Q5_K"
    return "F16" if "_mod." in name and ".1." in name[:22] else "Q4_K"


def _fp8(path: Path, weights: dict[str, Tensor], kind: str) -> Path:
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    layers = {}
    for name, value in weights.items():
        layer = name.removesuffix(".weight")
        # One matrix of each block stays as it was: tools leave out what suffers most.
        scaled = value.dim() == 2 and name.startswith("transformer_blocks.") and "to_add_out" not in name
        if kind == "plain cast":
            tensors[name] = value.to(torch.float8_e4m3fn) if value.dim() == 2 else value.half()
        elif not scaled:
            tensors[name] = value.half() if "to_add_out" in name and "0" in name else value
        else:
            magnitude = value.abs().amax(1, keepdim=True) if kind == "lightx2v" else value.abs().max()
            scale = magnitude.float() / 448
            tensors[name] = (value.float() / scale).to(torch.float8_e4m3fn)
            tensors[layer + (".scale_weight" if kind == "comfyui before" else ".weight_scale")] = scale
            layers[layer] = {"format": "float8_e4m3fn"}
            if kind == "comfyui now":
                tensors[f"{layer}.comfy_quant"] = torch.tensor(list(b'{"format": "float8_e4m3fn"}'), dtype=torch.uint8)
    if kind == "comfyui before":
        tensors["scaled_fp8"] = torch.zeros(0, dtype=torch.float8_e4m3fn)
    if kind == "comfyui in metadata":
        metadata["_quantization_metadata"] = json.dumps({"layers": layers})
    save_file({name: value.contiguous() for name, value in tensors.items()}, path, metadata)
    return path

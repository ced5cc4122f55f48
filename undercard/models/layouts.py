"""What a file of weights is, by its header: its layout, its edition if it says so, and whether it is what was meant."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from undercard.errors import BadCheckpoint
from undercard.models.catalogue import Edition, Layout, ModelSpec
from undercard.models.file_marks import ARCHITECTURE, QUANTISATION, edit_2511
from undercard.models.fp8_layouts import BEFORE, NOW
from undercard.models.gguf_header import gguf_header
from undercard.models.headers import Described, Header, is_gguf, plain_name, safetensors_header

BLOCK = re.compile(r"transformer_blocks\.(\d+)\.")
LINEAR = re.compile(
    r"(lora_unet_)?(transformer_blocks[._]\d+[._](attn[._](to|add)_|(img|txt)_(mlp|mod)[._])"
    r"|(img_in|txt_in|proj_out|norm_out[._]linear|time_text_embed[._].*)$)"
)
"""Layers of Qwen-Image that a LoRA may change, their dots as underscores in kohya's files."""
QWEN_IMAGE = ("transformer_blocks.0.img_mod.1.", "transformer_blocks.0.txt_mod.1.", "txt_norm.weight")
"""Beginnings of names that, together, only Qwen-Image has."""
FACTORS = ((".lora_down.weight", ".lora_up.weight"), (".lora_A.weight", ".lora_B.weight"),
           (".lora_A.default.weight", ".lora_B.default.weight"))  # fmt: skip
TEXT_ENCODER = "model.layers.0.self_attn.q_proj.weight"
VAE = "decoder.middle.0.residual.0.gamma"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds."""

    layout: Layout
    edition: Edition | None = None
    """Of Qwen-Image-Edit; None where the file does not say, as most do not."""
    blocks: int = 0
    quantisation: str = ""
    """The ggml type that most of a GGUF file's weights have, such as `Q4_K`."""
    rank: int = 0
    pairs: int = 0
    """Layers that a LoRA changes."""


def prove(path: Path, model: ModelSpec) -> Contents:
    """Return what the file at *path* holds, once it is known to be *model* as far as a header can tell.

    Raises:
        BadCheckpoint: it is something else, or cut short; the message says what it is.
    """
    contents = recognise(read_header(path))
    problems = list(_differences(contents, model))
    if problems:
        raise BadCheckpoint(f"{path} is not {model.title}: {'; '.join(problems)}")
    return contents


def read_header(path: Path) -> Header:
    """Read the header of the file at *path*, whichever of the two formats it has.

    Raises:
        BadCheckpoint: there is no such file, it is neither, or it is cut short.
    """
    try:
        return gguf_header(path) if is_gguf(path) else safetensors_header(path)
    except OSError as exc:
        raise BadCheckpoint(f"{path} cannot be read: {exc.strerror or exc}; give the path of a file") from exc


def recognise(header: Header) -> Contents:
    """Return what the file with that *header* holds.

    Raises:
        BadCheckpoint: it holds nothing of Qwen-Image-Edit.
    """
    names = {plain_name(name): stored for name, stored in header.tensors.items()}
    if is_gguf(header.path):
        return _gguf(header, names)
    if QUANTISATION in header.metadata:
        return _svdquant(header, names)
    if any(name.endswith(ending) for name in names for ending in sum(FACTORS, ())):
        return _lora(header, names)
    if all(any(name.startswith(begin) for name in names) for begin in QWEN_IMAGE):
        return Contents(_floats(header, names), _edition(header), _blocks(names))
    if VAE in names:
        return Contents(Layout.VAE)
    if TEXT_ENCODER in names:
        return Contents(Layout.TEXT_ENCODER)
    raise BadCheckpoint(f"{header.path} holds another model: its tensors are called {_some(names)}")


def _differences(found: Contents, model: ModelSpec) -> Iterable[str]:
    """Yield in which ways what was *found* is not *model*."""
    if found.layout not in {model.layout, model.or_layout}:
        yield f"it holds {found.layout}, not {model.layout}"
        return
    if found.edition and model.edition and found.edition != model.edition:
        yield f"it says that it is of Edit-{found.edition}, not {model.edition}"
    if model.blocks and found.blocks != model.blocks:
        yield f"it holds {found.blocks} of {model.blocks} blocks"
    if model.quantisation and found.quantisation and found.quantisation != main_type(model.quantisation):
        yield f"most of it is {found.quantisation}, not {main_type(model.quantisation)}"
    if model.rank and found.rank != model.rank:
        yield f"its rank is {found.rank}, not {model.rank}"
    if model.pairs and found.pairs != model.pairs:
        yield f"it changes {found.pairs} layers, not {model.pairs}"


def main_type(quantisation: str) -> str:
    """Return the ggml type of most weights in a mix, as llama.cpp names mixes: `Q4_K` for `Q4_K_M`."""
    return re.sub(r"_[SML]$", "", quantisation)


def _gguf(header: Header, names: Mapping[str, Described]) -> Contents:
    architecture = header.metadata.get("general.architecture")
    if architecture != ARCHITECTURE:
        raise BadCheckpoint(f"{header.path} holds another model: its architecture is {architecture!r}")
    weights: Counter[str] = Counter()
    for stored in names.values():
        weights[stored.dtype] += prod(stored.shape)
    ((most, _),) = weights.most_common(1) or (("", 0),)
    return Contents(Layout.GGUF, _edition(header), _blocks(names), quantisation=most)


def _svdquant(header: Header, names: Mapping[str, Described]) -> Contents:
    try:
        described = json.loads(str(header.metadata[QUANTISATION]))
        config = json.loads(str(header.metadata.get("config", "{}")))
        kind, rank, method = str(described["weight"]["dtype"]), int(described["rank"]), described["method"]
        zero_cond_t = config.get("zero_cond_t")
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise BadCheckpoint(f"{header.path} describes its quantisation in a way that cannot be read: {exc}") from exc
    layouts = {"int4": Layout.SVDQ_INT4, "fp4_e2m1_all": Layout.SVDQ_FP4}
    if method != "svdquant" or kind not in layouts or not any(name.startswith(QWEN_IMAGE[0]) for name in names):
        raise BadCheckpoint(f"{header.path} holds {method}'s {kind} of another model: {_some(names)}")
    # nunchaku writes the config of the model that it quantised; a 2509's does not have the key.
    edition: Edition | None = None if zero_cond_t is None else "2511" if zero_cond_t else "2509"
    return Contents(layouts[kind], edition, _blocks(names), rank=rank)


def _lora(header: Header, names: Mapping[str, Described]) -> Contents:
    ranks: dict[str, int] = {}
    for down, up in FACTORS:
        for name, stored in names.items():
            if name.endswith(down):
                layer = name.removesuffix(down)
                if layer + up not in names:
                    raise BadCheckpoint(f"{header.path} lacks {layer + up!r}, of which it has the other half")
                ranks[layer] = stored.shape[0] if stored.shape else 0
    if strange := [layer for layer in ranks if not LINEAR.match(layer)]:
        raise BadCheckpoint(f"{header.path} is a LoRA for another model: it changes {_some(strange)}")
    return Contents(Layout.LORA, rank=max(ranks.values(), default=0), pairs=len(ranks))


def _floats(header: Header, names: Mapping[str, Described]) -> Layout:
    """Return the layout of a transformer of floats: 8-bit ones with scales a row, a layer or none, or bfloat16."""
    eight = [name for name, stored in names.items() if stored.dtype.startswith("F8_") and len(stored.shape) > 1]
    if not eight:
        return Layout.BF16
    scales = [names[name.removesuffix(".weight") + end] for name in eight for end in (BEFORE, NOW)
              if name.removesuffix(".weight") + end in names]  # fmt: skip
    if not scales:
        return Layout.FP8_PLAIN
    if len(scales) != len(eight):
        raise BadCheckpoint(f"{header.path} has scales for {len(scales)} of its {len(eight)} weights in 8 bits")
    return Layout.FP8_COMFYUI if all(prod(scale.shape) == 1 for scale in scales) else Layout.FP8_LIGHTX2V


def _edition(header: Header) -> Edition | None:
    """Return what the file says of itself, by ComfyUI's marker or the name in GGUF metadata; most say nothing."""
    newer = edit_2511(header)
    return None if newer is None else "2511" if newer else "2509"


def _blocks(names: Iterable[str]) -> int:
    return len({found[1] for name in names if (found := BLOCK.match(name))})


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:3]) + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")

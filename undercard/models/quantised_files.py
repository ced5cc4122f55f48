"""What a file of quantised weights holds, proved from its header before anything is loaded: kind, model and sizes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from undercard.domain.unavailable import Cause, Unavailable
from undercard.errors import BadCheckpoint
from undercard.models import fp8_layouts
from undercard.models.architecture import BF16_BYTES, Architecture, architecture
from undercard.models.file_marks import ARCHITECTURE, QUANTISATION, edit_2511
from undercard.models.gguf_header import gguf_header
from undercard.models.headers import Header, is_gguf, plain_name, safetensors_header

GGUF_TYPES = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")
"""Those of ggml that are decoded (engine/formats/gguf.py)."""
RESHAPED = "comfy.gguf.orig_shape."
"""Before the names of tensors that were reshaped until their rows held whole blocks; Qwen-Image has none."""
GROUP, TILE, RANKS = 64, 128, 16
"""Of nunchaku's int4: columns that share a scale, rows and columns of a tile, and what ranks are multiples of."""
BLOCKS = "transformer_blocks."
MODULATIONS = ("img_mod.1", "txt_mod.1")
OUTSIDE = ("img_in.weight", "txt_in.weight", "proj_out.weight", "norm_out.linear.weight")
"""What every Qwen-Image transformer has before and after its blocks, under diffusers' names."""


class Kind(StrEnum):
    """The tools' families of files."""

    GGUF = "GGUF"
    FP8 = "8-bit floats"
    NUNCHAKU = "nunchaku"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds."""

    path: Path
    kind: Kind
    model: Architecture
    block_bytes: int
    """Of all blocks without their modulation, as they lie in the file."""
    zero_cond_t: bool | None
    """It is Edit-2511, whose reference tokens are modulated as of timestep 0; None where the file does not say."""

    @property
    def bytes_a_weight(self) -> float:
        """What a weight of the blocks takes, scales and all."""
        return self.block_bytes / (self.model.blocks * self.model.block_weights)


@dataclass(frozen=True, slots=True)
class Svdq:
    """What the metadata of a file of nunchaku's say."""

    config: Mapping[str, object]
    """Of the transformer, as diffusers takes it."""
    rank: int


def contents(path: Path) -> Contents:
    """Return what the file at *path* holds; only its header is read, and once.

    Raises:
        BadCheckpoint: it is not there, not whole, another model's, or quantised in a way that is not decoded.
    """
    if not path.is_file():
        raise BadCheckpoint(f"{path} is no file; give the path of one")
    try:
        facts = path.stat()
        return _contents(path, facts.st_size, facts.st_mtime_ns)
    except OSError as exc:
        raise BadCheckpoint(f"{path} cannot be read: {exc.strerror or exc}; make it readable") from exc


# A plan asks for it several times, and parsing a header takes 0.05 s.
@lru_cache(maxsize=16)
def _contents(path: Path, _size: int, _modified_ns: int) -> Contents:
    if is_gguf(path):
        header = open_gguf_header(path)
        return _described(header, Kind.GGUF, edit_2511(header))
    header = safetensors_header(path)
    if QUANTISATION in header.metadata:
        return _described(header, Kind.NUNCHAKU, bool(svdq(header).config.get("zero_cond_t", False)))
    fp8_layouts.scales_of(header)
    return _described(header, Kind.FP8, edit_2511(header))


def mismatch(found: Contents, config: Mapping[str, object]) -> Unavailable | None:
    """Return why *found* is not the transformer that *config*, of a model's folder, describes; None when it may be."""
    wanted = architecture(config)
    if found.model != wanted:
        what = (
            f"{found.path} is another model's: it has {_sizes(found.model)}, and the config.json in the folder of "
            f"UNDERCARD_MODEL describes {_sizes(wanted)}"
        )
        return Unavailable(what, "take both of one model", Cause.WRONG_FILE)
    said = bool(config.get("zero_cond_t", False))
    if found.zero_cond_t is None or found.zero_cond_t == said:
        return None
    ours, theirs = ("Edit-2511", "an earlier one") if found.zero_cond_t else ("an earlier Edit", "Edit-2511")
    what = (
        f"{found.path} is of {ours}, and the folder of UNDERCARD_MODEL of {theirs} "
        f"(zero_cond_t is {str(said).lower()} in its transformer/config.json)"
    )
    return Unavailable(what, "take both of one model", Cause.WRONG_FILE)


def low_rank_bytes(path: Path) -> int:
    """Return what the factors of the LoRA at *path* take in bf16 that belong to blocks, 0 for what is no LoRA."""
    try:
        tensors = safetensors_header(path).tensors
    except (OSError, BadCheckpoint):
        # Whoever opens it says what is wrong.
        return 0
    inside = [place for name, place in tensors.items() if BLOCKS[:-1] in name and "_mod" not in name]
    return sum(BF16_BYTES * math.prod(place.shape) for place in inside if len(place.shape) == 2)


def open_gguf_header(path: Path) -> Header:
    """Return the header of a GGUF file that is known to be a Qwen-Image transformer in types that are decoded.

    Raises:
        BadCheckpoint: it is not.
    """
    header = gguf_header(path)
    found = header.metadata.get("general.architecture")
    if found != ARCHITECTURE:
        raise BadCheckpoint(f"{path} holds the architecture {found!r}; only {ARCHITECTURE!r} can be rendered with")
    if reshaped := [key.removeprefix(RESHAPED) for key in header.metadata if key.startswith(RESHAPED)]:
        raise BadCheckpoint(f"{path} holds {reshaped[0]!r} in another shape than the model's; use another conversion")
    for name, place in header.tensors.items():
        if place.dtype not in GGUF_TYPES:
            raise BadCheckpoint(
                f"{path}: {plain_name(name)!r} is stored as {place.dtype}; only {', '.join(GGUF_TYPES)} are decoded"
            )
    return header


def svdq(header: Header) -> Svdq:
    """Return what the metadata of a file of nunchaku's say, once they and the layers are known to be int4's.

    Raises:
        BadCheckpoint: it is not nunchaku's, quantised otherwise, or of a rank that its layers have not.
    """
    try:
        quantised = json.loads(str(header.metadata[QUANTISATION]))
        config = json.loads(str(header.metadata["config"]))
        kind, group, rank = quantised["weight"]["dtype"], quantised["weight"]["group_size"], int(quantised["rank"])
        method = quantised["method"]
        parameters = {name: value for name, value in config.items() if not name.startswith("_")}
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise BadCheckpoint(
            f"{header.path} is no file of nunchaku's: its metadata do not describe the quantisation"
        ) from exc
    if str(kind).startswith("fp4"):
        raise BadCheckpoint(
            f"{header.path} holds {kind} (NVFP4), which only Blackwell cards compute with and which is not read here; "
            "fetch the int4 file beside it, svdq-int4_…"
        )
    if (method, kind, group) != ("svdquant", "int4", GROUP):
        raise BadCheckpoint(
            f"{header.path} holds {method}'s {kind} in groups of {group}; "
            f"only svdquant's int4 in groups of {GROUP} is read"
        )
    if rank < RANKS or rank % RANKS:
        raise BadCheckpoint(f"{header.path} has rank {rank}; nunchaku's ranks are multiples of {RANKS}")
    _check_ranks(header, rank)
    return Svdq(parameters, rank)


def _check_ranks(header: Header, rank: int) -> None:
    for name, place in header.tensors.items():
        if name.endswith((".proj_down", ".proj_up")) and place.shape[-1] != rank:
            raise BadCheckpoint(
                f"{header.path}: {name} is {place.shape}, of rank {place.shape[-1]}, and the metadata say {rank}; "
                "fetch the file again"
            )


def _described(header: Header, kind: Kind, zero_cond_t: bool | None) -> Contents:
    tensors = {plain_name(name): place for name, place in header.tensors.items()}
    numbers = {int(name.split(".")[1]) for name in tensors if re.match(rf"{BLOCKS}\d+\.", name)}
    missing = [name for name in OUTSIDE if name not in tensors or len(tensors[name].shape) != 2]
    if not numbers or missing:
        lacking = missing[0] if numbers else f"{BLOCKS}0"
        raise BadCheckpoint(f"{header.path} is another model's: it has no {lacking!r}, as Qwen-Image's transformer has")
    (width, latents), text = tensors["img_in.weight"].shape, tensors["txt_in.weight"].shape[-1]
    model = Architecture(blocks=max(numbers) + 1, width=width, text_width=text, latent_width=latents)
    inside = (place for name, place in tensors.items() if _is_streamed(name))
    return Contents(header.path, kind, model, sum(place.size_bytes for place in inside), zero_cond_t)


def _is_streamed(name: str) -> bool:
    return name.startswith(BLOCKS) and not any(part in name for part in MODULATIONS)


def _sizes(model: Architecture) -> str:
    return f"{model.blocks} blocks of {model.width} channels for texts of {model.text_width}"

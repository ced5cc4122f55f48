"""A Qwen-Image transformer in a file of 8-bit floats, whichever way its scales are written.

Three tools write scaled files, and a plain cast has no scales at all:

    ComfyUI, before      <layer>.scale_weight, one number; a tensor `scaled_fp8` marks the file
    ComfyUI, now         <layer>.weight_scale, one number; <layer>.comfy_quant (JSON) or metadata names the format
    LightX2V             <layer>.weight_scale, one per row

What is not one of these is refused: read without its scales, a model renders noise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from undercard.engine.checkpoint import Checkpoint, Entry
from undercard.engine.formats.fp8 import row_scale
from undercard.engine.stored import ZERO_COND_T, Parameter, as_bf16, known, plain_name
from undercard.errors import BadCheckpoint

MARKER = "scaled_fp8"
SCALES = (".scale_weight", ".weight_scale")
BESIDES = (*SCALES, ".scale_input", ".input_scale", ".comfy_quant")
"""Ends of names that are no parameters; scales of activations serve kernels that quantise those too."""
DECODED = "float8_e4m3fn"


@dataclass(frozen=True, slots=True)
class Fp8File:
    """The tensors of a file under diffusers' names."""

    checkpoint: Checkpoint
    parameters: Mapping[str, Parameter]
    names: Mapping[str, str]
    """From diffusers' name of every parameter to the file's."""
    scales: Mapping[str, str]
    """From diffusers' name of a scaled weight to the file's name of its scale."""
    zero_cond_t: bool
    """LightX2V's files do not say."""

    @property
    def source(self) -> Path:
        """The file."""
        return self.checkpoint.source

    def read(self, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield parameters with their parts, as `StoredModel.read` does."""
        for name, parts in self.made(names):
            entries = self.lying(name) if len(self.parameters[name].shape) > 1 else {}
            yield name, {part: self.checkpoint.read(self.names[name]) for part in entries} | parts

    def lying(self, name: str) -> Mapping[str, Entry]:
        """Return where the values of a matrix are, or the matrix itself if it is in bfloat16."""
        entry = self.checkpoint[self.names[name]]
        if self.parameters[name].format == "fp8":
            return {"values": entry}
        return {"weight": entry} if entry.dtype == torch.bfloat16 else {}

    def made(self, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield the scales of matrices, and all that is rounded to bfloat16."""
        for name in known(self.checkpoint.source, self.parameters, names):
            parameter = self.parameters[name]
            if parameter.format == "fp8":
                scale = self.checkpoint.read(self.scales[name]) if name in self.scales else torch.ones(())
                yield name, {"scale": row_scale(scale, parameter.matrix[0])}
            elif len(parameter.shape) > 1 and self.lying(name):
                yield name, {}
            else:
                yield name, as_bf16(self.checkpoint.read(self.names[name]))

    def together(self, names: Iterable[str]) -> list[list[str]]:
        """Return one group: scales and vectors are small."""
        return [list(names)]

    def digest(self) -> str:
        """Return a key that other weights do not share."""
        return self.checkpoint.digest()


def open_fp8(checkpoint: Checkpoint) -> Fp8File:
    """Tell what *checkpoint* holds, by its header and the small tensors that name a layer's format.

    Raises:
        BadCheckpoint: it holds no 8-bit floats, others than e4m3fn, or some without a scale beside some with one.
    """
    stored = {plain_name(name): name for name in checkpoint.entries}
    for layer, found in _declared(checkpoint):
        if found != DECODED:
            raise BadCheckpoint(f"{checkpoint.source}: {layer!r} is stored as {found}; only {DECODED} is decoded")
    names = {name: there for name, there in stored.items() if not _is_beside(name)}
    scales = {name: there for name in names if (there := _scale_of(name, stored)) is not None}
    _check_dtypes(checkpoint, names, scales, promised=bool(scales) or MARKER in stored)
    parameters = {name: _parameter(checkpoint, there) for name, there in names.items()}
    return Fp8File(checkpoint, parameters, names, scales, ZERO_COND_T in stored)


def _parameter(checkpoint: Checkpoint, name: str) -> Parameter:
    entry = checkpoint[name]
    # A plain cast makes vectors 8-bit floats too; they are few, and bfloat16 holds them exactly.
    in_rows = entry.dtype == torch.float8_e4m3fn and len(entry.shape) > 1
    return Parameter("fp8" if in_rows else "bf16", entry.shape)


def _is_beside(name: str) -> bool:
    return name in {ZERO_COND_T, MARKER} or name.endswith(BESIDES)


def _scale_of(name: str, stored: Mapping[str, str]) -> str | None:
    layer = name.removesuffix(".weight")
    return next((stored[layer + end] for end in SCALES if layer != name and layer + end in stored), None)


def _declared(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    """Yield layers and the formats that the file says they have."""
    try:
        layers = json.loads(checkpoint.metadata.get("_quantization_metadata", "{}")).get("layers", {})
        yield from ((layer, str(facts["format"])) for layer, facts in layers.items())
        for name in checkpoint.entries:
            if name.endswith(".comfy_quant"):
                facts = json.loads(bytes(checkpoint.read(name).tolist()))
                yield name.removesuffix(".comfy_quant"), str(facts["format"])
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise BadCheckpoint(f"{checkpoint.source} describes its layers in a way that cannot be read: {exc}") from exc


def _check_dtypes(
    checkpoint: Checkpoint, names: Mapping[str, str], scales: Mapping[str, str], *, promised: bool
) -> None:
    """Raise unless every weight with a scale is e4m3fn and, where scales are *promised*, every such weight has one."""
    dtypes = {name: checkpoint[there].dtype for name, there in names.items()}
    for name, dtype in dtypes.items():
        eight_bits = dtype == torch.float8_e4m3fn
        if dtype == torch.float8_e5m2 or (name in scales and not eight_bits):
            raise BadCheckpoint(f"{checkpoint.source}: {name!r} is stored as {dtype}; only {DECODED} is decoded")
        if eight_bits and promised and name not in scales:
            raise BadCheckpoint(f"{checkpoint.source}: {name!r} has no scale, unlike others; use another conversion")
    if torch.float8_e4m3fn not in dtypes.values():
        raise BadCheckpoint(f"{checkpoint.source} holds no {DECODED}; open it as what it is")

"""A Qwen-Image transformer in a file of 8-bit floats, whichever way its scales are written (see fp8_layouts.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from undercard.engine.files.checkpoint import Checkpoint, Entry
from undercard.engine.files.stored import Parameter, as_bf16, known
from undercard.engine.formats.fp8 import row_scale
from undercard.models.file_marks import ZERO_COND_T, edit_2511
from undercard.models.fp8_layouts import is_beside, scales_of
from undercard.models.headers import plain_name, safetensors_header


@dataclass(frozen=True, slots=True)
class Fp8File:
    """The tensors of a file under diffusers' names."""

    checkpoint: Checkpoint
    parameters: Mapping[str, Parameter]
    names: Mapping[str, str]
    """From diffusers' name of every parameter to the file's."""
    scales: Mapping[str, str]
    """From diffusers' name of a scaled weight to the file's name of its scale."""
    zero_cond_t: bool | None
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
    """Tell what *checkpoint*, of one file, holds, by its header and the small tensors that name a layer's format.

    Raises:
        BadCheckpoint: as `fp8_layouts.scales_of`.
    """
    header = safetensors_header(checkpoint.source)
    scales = scales_of(header)
    stored = {plain_name(name): name for name in checkpoint.entries}
    names = {name: there for name, there in stored.items() if name != ZERO_COND_T and not is_beside(name)}
    parameters = {name: _parameter(checkpoint, there) for name, there in names.items()}
    return Fp8File(checkpoint, parameters, names, scales, edit_2511(header))


def _parameter(checkpoint: Checkpoint, name: str) -> Parameter:
    entry = checkpoint[name]
    # A plain cast makes vectors 8-bit floats too; they are few, and bfloat16 holds them exactly.
    in_rows = entry.dtype == torch.float8_e4m3fn and len(entry.shape) > 1
    return Parameter("fp8" if in_rows else "bf16", entry.shape)

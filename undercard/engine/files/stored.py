"""The contract of a file of quantised weights, and the opener that tells one kind from another by its header.

Whatever the file, its parameters go by diffusers' names, lie in one of the formats of undercard/engine/formats and
are in diffusers' conventions, so the engine treats GGUF, 8-bit floats and nunchaku's files alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from undercard.engine.files.checkpoint import Entry
from undercard.engine.formats import Shape, format_named
from undercard.errors import BadCheckpoint


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, as the header describes it."""

    format: str
    """Name of its storage format."""
    shape: tuple[int, ...]

    @property
    def matrix(self) -> Shape:
        """The shape with all but its last dimension made one, as formats have it; a vector is one row."""
        return math.prod(self.shape[:-1]), self.shape[-1]

    def decoded(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Return the parameter: bfloat16 of its shape, on the device of its *parts*."""
        out = torch.empty(self.matrix, dtype=torch.bfloat16, device=next(iter(parts.values())).device)
        format_named(self.format).decode(parts, out)
        return out.view(self.shape)


class StoredModel(Protocol):
    """A file of weights."""

    @property
    def source(self) -> Path:
        """The file."""

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Every parameter under diffusers' name."""

    @property
    def zero_cond_t(self) -> bool | None:
        """It is Edit-2511, whose reference tokens are modulated as of timestep 0; None where the file does not say."""

    def read(self, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield the parameters called *names*, in any order, with their parts in host memory.

        Raises:
            BadCheckpoint: the file lacks one, or was cut short since it was opened.
        """

    def lying(self, name: str) -> Mapping[str, Entry]:
        """Return where those parts of the matrix called *name* are that the file holds byte for byte."""

    def made(self, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield the parameters called *names* with all other parts; a vector has all of its own among them.

        Raises:
            BadCheckpoint: as `read`.
        """

    def together(self, names: Iterable[str]) -> list[list[str]]:
        """Return *names* in groups whose parts are best made in one call."""

    def digest(self) -> str:
        """Return a key that other weights do not share; see `Checkpoint.digest`."""


def known(source: Path, parameters: Mapping[str, Parameter], names: Iterable[str]) -> list[str]:
    """Return *names* as a list once every one is known to be among *parameters*.

    Raises:
        BadCheckpoint: one is not.
    """
    wanted = list(names)
    for name in wanted:
        if name not in parameters:
            raise BadCheckpoint(f"{source} lacks the tensor {name!r}; it is another model's, or cut short")
    return wanted


def as_bf16(tensor: Tensor) -> dict[str, Tensor]:
    """Return the parts of a float *tensor* in the format `bf16`; a vector is one row."""
    return {"weight": tensor.to(torch.bfloat16).reshape(-1, tensor.shape[-1]).contiguous()}

"""How the parameters of one block lie in one flat buffer, so that a block moves in a single copy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

ALIGNMENT = 16
"""Bytes; what cuBLAS asks of an operand."""


@dataclass(frozen=True, slots=True)
class Place:
    """One parameter in a flat buffer."""

    name: str
    """Within its block, such as `attn.to_q.weight`."""
    shape: tuple[int, ...]
    offset: int
    """In bytes."""
    size_bytes: int


class Linear(Protocol):
    """One linear layer, or several that take the same input, ready to compute."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return (…, outputs) for *x*, bfloat16 (…, inputs)."""

    def into(self, x: Tensor, out: Tensor) -> None:
        """Fill *out*, (tokens, outputs), for *x*, (tokens, inputs)."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A linear layer in bfloat16."""

    weight: Tensor
    """(outputs, inputs)."""
    bias: Tensor
    """(outputs,)."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return the product."""
        return functional.linear(x, self.weight, self.bias)

    def into(self, x: Tensor, out: Tensor) -> None:
        """Write the product."""
        torch.addmm(self.bias, x, self.weight.t(), out=out)


@dataclass(frozen=True)
class Layout:
    """The parameters of a block in a flat bfloat16 buffer: every matrix first, then every vector.

    The blocks of one model share a layout. Parameters that a fused product takes together lie side by side.
    """

    places: tuple[Place, ...]
    matrix_bytes: int
    """Where the matrices end and the vectors begin."""
    size_bytes: int

    @cached_property
    def by_name(self) -> Mapping[str, Place]:
        """Each place under its parameter's name."""
        return {place.name: place for place in self.places}

    @property
    def matrices(self) -> tuple[Place, ...]:
        """The places of the matrices."""
        return tuple(place for place in self.places if len(place.shape) > 1)

    def view(self, buffer: Tensor, *names: str) -> Tensor:
        """Return parameters that lie side by side in *buffer* as one, stacked along their first axis.

        Raises:
            ValueError: they do not lie side by side.
        """
        places = [self.by_name[name] for name in names]
        for left, right in pairwise(places):
            if right.offset != left.offset + left.size_bytes or right.shape[1:] != left.shape[1:]:
                raise ValueError(f"{left.name} and {right.name} do not lie side by side")
        rows = sum(place.shape[0] for place in places)
        end = places[-1].offset + places[-1].size_bytes
        return buffer[places[0].offset : end].view(torch.bfloat16).view(rows, *places[0].shape[1:])

    def linear(self, buffer: Tensor, *layers: str) -> Linear:
        """Return layers that lie side by side in *buffer* as one, such as those of queries, keys and values.

        Raises:
            ValueError: they do not lie side by side.
        """
        weight, bias = (self.view(buffer, *(f"{layer}.{part}" for layer in layers)) for part in ("weight", "bias"))
        return Dense(weight, bias)

    def attach(self, module: nn.Module, buffer: Tensor) -> None:
        """Make the parameters of *module* views of *buffer*."""
        for place in self.places:
            owner, _, name = place.name.rpartition(".")
            parameter = nn.Parameter(self.view(buffer, place.name), requires_grad=False)
            setattr(module.get_submodule(owner), name, parameter)


def layout_of(module: nn.Module, *, together: Sequence[Sequence[str]] = (), without: Sequence[str] = ()) -> Layout:
    """Lay out the parameters of *module*, which may be on the meta device.

    Args:
        module: one block.
        together: groups of parameters that are wanted side by side; groups that the module lacks are passed over.
        without: beginnings of the names of parameters that do not belong to the buffer.
    """
    shapes = {
        name: tuple(parameter.shape)
        for name, parameter in module.named_parameters()
        if not name.startswith(tuple(without))
    }
    grouped = [name for group in together for name in group if name in shapes]
    order = grouped + [name for name in shapes if name not in set(grouped)]
    places: list[Place] = []
    offset = matrix_bytes = 0
    for name in sorted(order, key=lambda name: len(shapes[name]) == 1):
        size_bytes = 2 * math.prod(shapes[name])
        # A group's later members follow without a gap: their sizes are multiples of the alignment, or they would
        # not be fused.
        offset = -(-offset // ALIGNMENT) * ALIGNMENT
        if len(shapes[name]) == 1 and not matrix_bytes:
            matrix_bytes = offset
        places.append(Place(name, shapes[name], offset, size_bytes))
        offset += size_bytes
    return Layout(tuple(places), matrix_bytes or offset, -(-offset // ALIGNMENT) * ALIGNMENT)

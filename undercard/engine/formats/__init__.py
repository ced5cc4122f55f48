"""The contract of a storage format, and the lookup that finds every file of this folder.

A format says how one weight lies in memory and turns it into bfloat16 on the device that holds it. A format's file
defines `FORMATS`, a tuple of its formats; a file of several, such as `gguf.py`, names each `gguf-…`. To add a format,
add a file: nothing else changes, and the contract suite in tests/engine/formats runs over it. Files whose names begin
with `_` are shared by the others.
"""

from __future__ import annotations

import functools
import importlib
import math
import pkgutil
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from undercard.errors import BadInput

Shape = tuple[int, int]
"""(N, K): rows are what the layer gives, columns what it takes."""
Part = tuple[tuple[int, ...], torch.dtype]


class Format(Protocol):
    """How one weight lies in memory."""

    @property
    def name(self) -> str:
        """As the file's name with `-` for `_`, or beginning with it: `fp8`, `gguf-q4-k`."""

    def parts(self, shape: Shape) -> dict[str, Part]:
        """Return the shape and dtype of every part of a weight of *shape*, so that memory can be laid out for it.

        Raises:
            BadInput: no weight of that shape can lie in this format.
        """

    def encode(self, weight: Tensor) -> dict[str, Tensor]:
        """Return the parts of *weight*, which is bfloat16 (N, K), contiguous and on its device.

        Raises:
            BadInput: the weight cannot be encoded, or the format only reads what others wrote.
        """

    def decode(self, parts: Mapping[str, Tensor], out: Tensor) -> None:
        """Fill *out*, bfloat16 (N, K) and contiguous, from the *parts* on its device.

        Every value is computed in float32 and rounded once, so a CPU and a GPU give the same bits, but for the sums of
        a low-rank correction. Beyond a few rows, no memory is taken.

        Raises:
            BadInput: the parts are not those of a weight of that shape.
        """


def stored_bytes(format: Format, shape: Shape) -> int:  # noqa: A002 - the field's own word
    """Return what a weight of *shape* takes in *format*, in bytes without alignment."""
    return sum(math.prod(size) * dtype.itemsize for size, dtype in format.parts(shape).values())


def names() -> tuple[str, ...]:
    """Return the name of every format, in alphabetical order."""
    return tuple(sorted(_formats()))


def format_named(name: str) -> Format:
    """Return the format called *name*.

    Raises:
        BadInput: there is no such format.
    """
    try:
        return _formats()[name]
    except KeyError:
        raise BadInput(f"storage format {name!r} does not exist; use one of {', '.join(names())}") from None


@functools.cache
def _formats() -> dict[str, Format]:
    files = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    found: list[Format] = []
    for file in files:
        found.extend(importlib.import_module(f"{__name__}.{file}").FORMATS)
    return {each.name: each for each in found}

"""What every format holds its callers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from undercard.engine.formats import Format, Part, Shape
from undercard.errors import BadInput

CHUNK_ELEMENTS = 1 << 20
"""Elements that PyTorch's path works on at a time: 4 MB of float32, less than a second-level cache holds."""


def row_slices(shape: Shape) -> Iterator[slice]:
    """Yield slices that cover the rows of a matrix of *shape*, each of `CHUNK_ELEMENTS` elements or one row."""
    rows, columns = shape
    step = max(1, CHUNK_ELEMENTS // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def check_columns(name: str, shape: Shape, multiple: int) -> None:
    """Raise `BadInput` unless the rows of *shape* divide into groups of *multiple* columns."""
    rows, columns = shape
    if rows < 1 or columns < 1 or columns % multiple:
        raise BadInput(f"{name}: a weight of {rows} × {columns} has no whole groups of {multiple} columns")


def checked_weight(each: Format, weight: Tensor) -> Shape:
    """Return the shape of a *weight* that is to be encoded, once it is known to be bfloat16 and of two dimensions."""
    if weight.ndim != 2 or weight.dtype != torch.bfloat16:
        raise BadInput(
            f"{each.name}: encodes bfloat16 of two dimensions, not {weight.dtype} of {tuple(weight.shape)}; convert it"
        )
    shape = weight.shape[0], weight.shape[1]
    each.parts(shape)
    return shape


def check_parts(each: Format, parts: Mapping[str, Tensor], out: Tensor) -> None:
    """Raise `BadInput` unless *parts* are those of a weight of *out*'s shape, and *out* can take it."""
    if out.ndim != 2 or out.dtype != torch.bfloat16 or not out.is_contiguous():
        raise BadInput(f"{each.name}: decodes into contiguous bfloat16, not {out.dtype} of {tuple(out.shape)}")
    wanted = each.parts((out.shape[0], out.shape[1]))
    if wanted.keys() != parts.keys():
        raise BadInput(f"{each.name}: has the parts {', '.join(wanted)}, not {', '.join(parts)}")
    for name, part in wanted.items():
        _check_part(f"{each.name}: part {name!r}", part, parts[name], out.device)


def _check_part(what: str, wanted: Part, given: Tensor, device: torch.device) -> None:
    shape, dtype = wanted
    if tuple(given.shape) != shape or given.dtype != dtype:
        raise BadInput(f"{what} is {dtype} of {shape}, not {given.dtype} of {tuple(given.shape)}")
    if given.device != device or not given.is_contiguous():
        raise BadInput(f"{what} lies on {given.device}; make it contiguous on {device}")

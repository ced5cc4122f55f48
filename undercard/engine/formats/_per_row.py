"""Eight bits a weight and one float32 scale per output row: weight = value · scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from undercard.engine.formats import Part, Shape
from undercard.engine.formats._checks import check_columns, check_parts, checked_weight, row_slices
from undercard.engine.formats._device import kernels_for


@dataclass(frozen=True, slots=True)
class PerRow:
    """A row's largest magnitude becomes the largest value of *dtype*."""

    name: str
    dtype: torch.dtype
    largest: float
    """The greatest magnitude that a stored value takes."""

    def parts(self, shape: Shape) -> dict[str, Part]:
        """Return the values (N, K) and the float32 scale of each row (N)."""
        check_columns(self.name, shape, 1)
        return {"values": (shape, self.dtype), "scale": (shape[:1], torch.float32)}

    def encode(self, weight: Tensor) -> dict[str, Tensor]:
        """Return the values nearest to *weight* (ties to even), and the scales."""
        shape = checked_weight(self, weight)
        values = torch.empty(shape, dtype=self.dtype, device=weight.device)
        # CUDA multiplies by the reciprocal of a Python number, which rounds otherwise than the CPU's division.
        scale = weight.abs().amax(dim=1).float() / torch.full((), self.largest, device=weight.device)
        # A row of zeros has no magnitude to scale by.
        scale = torch.where(scale > 0, scale, 1.0)
        for rows in row_slices(shape):
            scaled = weight[rows].float() / scale[rows, None]
            values[rows] = (scaled if self.dtype.is_floating_point else scaled.round_()).to(self.dtype)
        return {"values": values, "scale": scale}

    def decode(self, parts: Mapping[str, Tensor], out: Tensor) -> None:
        """Multiply every row by its scale."""
        check_parts(self, parts, out)
        values, scale = parts["values"], parts["scale"]
        if kernels := kernels_for(out):
            kernels.per_row(values, scale, out)
            return
        for rows in row_slices((out.shape[0], out.shape[1])):
            out[rows] = values[rows].float().mul_(scale[rows, None])

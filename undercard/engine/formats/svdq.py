"""SVDQuant's four-bit layers as plain weights, for activations of full precision.

A layer of *SVDQuant* (Li et al. 2024, arXiv:2411.05007) computes Q(x / smooth) · Wqᵀ + (x · down) · upᵀ. With nothing
lost in Q that is x · Wᵀ for W = Wq · scale / smooth + up · down, which `decode` builds: better than the four-bit
activations of the original, at the price of its speed. `_nunchaku.py` makes the parts from nunchaku's files.

The low-rank product is added in float32, by whatever matrix product a machine has: sums of other orders differ in the
last bit of one weight in a few hundred, unlike in the other formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from undercard.engine.formats import Part, Shape
from undercard.engine.formats._checks import check_columns, check_parts, checked_weight, row_slices
from undercard.engine.formats._device import kernels_for
from undercard.errors import BadCheckpoint, BadInput

GROUP = 64
RANKS = (16, 32, 64, 128, 256)
"""Of which there is a format each; a rank between two is filled up with zeros, which change no weight."""


@dataclass(frozen=True, slots=True)
class SvdqInt4:
    """Two signed codes a byte, a scale every 64 weights, smoothing per input and a low-rank correction."""

    rank: int

    @property
    def name(self) -> str:
        """`svdq-int4-r32`."""
        return f"svdq-int4-r{self.rank}"

    def parts(self, shape: Shape) -> dict[str, Part]:
        """Return the parts.

        Codes (N, K/2) with the even column in the low nibble, scale (N, K/64), unsmooth = 1 / smooth (K), down (R, K)
        and up (N, R).
        """
        check_columns(self.name, shape, GROUP)
        rows, columns = shape
        return {
            "codes": ((rows, columns // 2), torch.uint8),
            "scale": ((rows, columns // GROUP), torch.bfloat16),
            "unsmooth": ((columns,), torch.float32),
            "down": ((self.rank, columns), torch.bfloat16),
            "up": ((rows, self.rank), torch.bfloat16),
        }

    def encode(self, weight: Tensor) -> dict[str, Tensor]:
        """Refuse: smoothing is calibrated on activations, which a weight does not tell.

        Raises:
            BadInput: always.
        """
        checked_weight(self, weight)
        raise BadInput(f"{self.name}: only read from nunchaku's files, which are calibrated; choose nf4 to encode here")

    def decode(self, parts: Mapping[str, Tensor], out: Tensor) -> None:
        """Add the low-rank correction to the dequantised weight."""
        check_parts(self, parts, out)
        codes, scale, unsmooth, down, up = (parts[name] for name in ("codes", "scale", "unsmooth", "down", "up"))
        if kernels := kernels_for(out):
            kernels.svdq(codes, scale, unsmooth, down, up, out)
            return
        wide_down = down.float()
        for rows in row_slices((out.shape[0], out.shape[1])):
            weight = dequantized(codes[rows], scale[rows]).mul_(unsmooth)
            out[rows] = weight.addmm_(up[rows].float(), wide_down)


def dequantized(codes: Tensor, scale: Tensor) -> Tensor:
    """Return Wq · scale, float32 (N, K), which meets activations that were divided by `smooth`."""
    pairs = torch.stack((codes & 15, codes >> 4), dim=2).char()
    # Two's complement in four bits.
    signed = (pairs ^ 8) - 8
    grouped = signed.view(len(codes), -1, GROUP).float() * scale.float()[:, :, None]
    return grouped.flatten(1)


def kept_rank(rank: int) -> int:
    """Return the rank of the format that holds a correction of *rank*.

    Raises:
        BadCheckpoint: none does.
    """
    for each in RANKS:
        if rank <= each:
            return each
    raise BadCheckpoint(f"svdq: rank {rank} is more than the {RANKS[-1]} that are decoded; fetch a file of less")


FORMATS = tuple(SvdqInt4(rank) for rank in RANKS)

"""nunchaku's tensors in their natural order: the layout that its CUDA kernels want, undone.

The layouts are those of nunchaku 1.2's packers (Apache-2.0), checked against answers of its own kernels. Every function
takes one layer's tensors under their last names, as in `transformer_blocks.0.attn.to_qkv.<qweight>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from undercard.engine.formats._checks import row_slices
from undercard.engine.formats.svdq import GROUP, kept_rank
from undercard.errors import BadCheckpoint

GELU_SHIFT = 0.171875
"""Added to a GELU's output, which is never below −0.17, so that it can be quantised without a sign."""
AWQ_GROUP = 64
AWQ_ROWS = 4
"""Rows of the weight in one row of its codes."""
AWQ_CHUNK = 384
"""Rows that are decoded at once: of whole channels, and of whole rows of codes."""
MODULATIONS = 6
"""Of one stream of a block: shift, scale, gate before the attention, then before the feed-forward."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A linear layer: parts of `svdq-int4-r<rank>`, and the bias (N) that goes with them.

    The rank may exceed the file's: see `svdq.RANKS`.
    """

    rank: int
    parts: dict[str, Tensor]
    bias: Tensor

    def rows(self, start: int, stop: int) -> Layer:
        """Return the layer that gives outputs *start* to *stop* alone, such as the queries of a fused projection."""
        by_row = {name: self.parts[name][start:stop].contiguous() for name in ("codes", "scale", "up")}
        return Layer(self.rank, self.parts | by_row, self.bias[start:stop])


def linear(tensors: Mapping[str, Tensor], *, after_gelu: bool = False) -> Layer:
    """Return an SVDQuant layer in natural order.

    Args:
        tensors: qweight, wscales, bias, smooth_factor, proj_down, proj_up.
        after_gelu: the layer is `mlp.net.2`. Its codes were made for gelu(x) + 0.171875, and the file's bias already
            holds −Σₖ Wq·scale/smooth · 0.171875 to make up for it. Activations that are not quantised are not shifted
            either, so that sum is added back.

    Raises:
        BadCheckpoint: a tensor is missing, or its shape is not that of such a layer.
    """
    found = natural(tensors)
    rank = found["down"].shape[0]
    spare = kept_rank(rank) - rank
    parts = {
        "codes": found["codes"],
        "scale": found["scale"],
        "unsmooth": found["smooth"].float().reciprocal(),
        "down": pad(found["down"], (0, 0, 0, spare)),
        "up": pad(found["up"], (0, spare)),
    }
    bias = found["bias"]
    if after_gelu:
        bias = (bias.double() + GELU_SHIFT * _sums(parts)).to(bias.dtype)
    return Layer(rank + spare, parts, bias)


def natural(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of an SVDQuant layer in natural order, and nothing else changed.

    codes uint8 (N, K/2) with the even column in the low nibble, scale (N, K/64), smooth (K), down (R, K), up (N, R) and
    bias (N).

    Raises:
        BadCheckpoint: a tensor is missing, or its shape is not that of such a layer.
    """
    _demand(tensors, "qweight", "wscales", "bias", "smooth_factor", "proj_down", "proj_up")
    packed = tensors["qweight"]
    if packed.dtype != torch.int8 or packed.ndim != 2:
        raise BadCheckpoint(f"svdq: qweight is {packed.dtype} of {tuple(packed.shape)}; only int4 in int8 is read")
    rows, columns = packed.shape[0], packed.shape[1] * 2
    if rows % 128 or columns % 128:
        raise BadCheckpoint(f"svdq: a layer of {rows} × {columns} is not packed in tiles of 128 × 128")
    rank = tensors["proj_down"].shape[-1]
    return {
        "codes": _natural_codes(packed),
        "scale": _natural_scales(tensors["wscales"], rows, columns // GROUP),
        "smooth": _natural_scales(tensors["smooth_factor"], columns, 1).view(-1),
        "down": _natural_low_rank(tensors["proj_down"], columns, rank, transposed=True),
        "up": _natural_low_rank(tensors["proj_up"], rows, rank, transposed=False),
        "bias": _natural_scales(tensors["bias"], rows, 1).view(-1),
    }


def modulation(tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the weight (6·dim, dim) and bias (6·dim) of an AWQ `img_mod.1` or `txt_mod.1`, in diffusers' convention.

    nunchaku's rows run over the six modulations of one channel before the next channel, and its biases of the two
    scales hold the 1 of x · (1 + scale); diffusers' rows run over the channels of one modulation, without the 1.

    Raises:
        BadCheckpoint: a tensor is missing, or its shape is not that of such a layer.
    """
    _demand(tensors, "qweight", "wscales", "wzeros", "bias")
    packed = tensors["qweight"]
    rows, columns = packed.shape[0] * AWQ_ROWS, packed.shape[1] * 2
    if packed.dtype != torch.int32 or columns % AWQ_GROUP or rows % MODULATIONS:
        raise BadCheckpoint(
            f"awq: qweight is {packed.dtype} of {tuple(packed.shape)}; it does not hold six modulations"
        )
    for name in ("wscales", "wzeros"):
        _demand_shape(name, tensors[name], (columns // AWQ_GROUP, rows))
    _demand_shape("bias", tensors["bias"], (rows,))
    dtype = tensors["bias"].dtype
    weight = torch.empty((MODULATIONS, rows // MODULATIONS, columns), dtype=dtype, device=packed.device)
    # A few rows at a time, of whole channels: most of the time would go into touching new memory.
    for at in range(0, rows, AWQ_CHUNK):
        some = slice(at, min(at + AWQ_CHUNK, rows))
        codes = _awq_codes(packed[at // AWQ_ROWS : some.stop // AWQ_ROWS]).view(some.stop - at, -1, AWQ_GROUP).float()
        scale, zero = (tensors[name][:, some].float().t()[:, :, None] for name in ("wscales", "wzeros"))
        channels = slice(at // MODULATIONS, some.stop // MODULATIONS)
        weight[:, channels] = (codes * scale + zero).view(-1, MODULATIONS, columns).transpose(0, 1).to(dtype)
    bias = tensors["bias"].float().view(-1, MODULATIONS).t().clone()
    bias[1] -= 1
    bias[4] -= 1
    return weight.view(rows, columns), bias.reshape(rows).to(dtype)


def _sums(parts: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of every row of Wq · scale / smooth, float64 (N); to a millionth, which no bias in 16 bits shows.

    Group by group before its scale: a weight is touched half as often as when it is decoded, 150 MB of them a layer.
    """
    codes, scale = parts["codes"], parts["scale"]
    even, odd = parts["unsmooth"].view(-1, GROUP // 2, 2).unbind(2)
    sums = torch.empty(len(codes), dtype=torch.float64, device=codes.device)
    for rows in row_slices((len(codes), 2 * codes.shape[1])):
        pairs = codes[rows].unflatten(1, (-1, GROUP // 2))
        # As signed bytes, a shift to the right brings the sign along.
        low, high = (pairs << 4).view(torch.int8) >> 4, pairs.view(torch.int8) >> 4
        groups = (low.float() * even).add_(high.float() * odd).sum(dim=2)
        sums[rows] = (groups * scale[rows].float()).sum(dim=1, dtype=torch.float64)
    return sums


def _natural_codes(packed: Tensor) -> Tensor:
    """Return qweight, int8 (N, K/2), as two signed codes a byte in row-major order: uint8 (N, K/2)."""
    rows, half = packed.shape
    # Tiles of 128 rows by 64 columns in the order of the tensor cores' fragments: the packed axes below, which were
    # axes 0 5 6 1 3 8 2 7 4 of (N/128, 8, 2, 8, 1, K/64, 1, 2, 4). Eight codes of a row stay together, and are a word.
    words = packed.view(torch.int32).view(rows // 128, half // 32, 8, 8, 4, 2, 2)
    return words.permute(0, 2, 5, 3, 1, 6, 4).reshape(rows, half // 4).view(torch.uint8)


def _natural_scales(packed: Tensor, rows: int, groups: int) -> Tensor:
    """Return numbers of every row and group, packed as (groups, N) or, for one group, (N), as (N, groups)."""
    if packed.numel() != rows * groups:
        raise BadCheckpoint(f"svdq: {tuple(packed.shape)} does not hold {groups} × {rows} scales")
    tiles = packed.reshape(rows // 128, groups, 1, 8, 4, 2, 2)
    return tiles.permute(0, 2, 3, 5, 4, 6, 1).reshape(rows, groups)


def _natural_low_rank(packed: Tensor, length: int, rank: int, *, transposed: bool) -> Tensor:
    """Return proj_up (N, R) in natural order, or proj_down, packed as (K, R), as (R, K)."""
    _demand_shape("proj_down" if transposed else "proj_up", packed, (length, rank))
    if rank % 16:
        raise BadCheckpoint(f"svdq: rank {rank} is not packed in tiles of 16 × 16")
    fragments = packed.reshape(length // 16, rank // 16, 8, 4, 2, 2, 1, 2)
    # Undoes the permutation 0 1 3 6 2 5 4 7 of (…, 2, 8, 1, 2, 4, 2).
    tiles = fragments.permute(0, 1, 4, 2, 6, 5, 3, 7).reshape(length // 16, rank // 16, 16, 16)
    if transposed:
        return tiles.permute(1, 2, 0, 3).reshape(rank, length)
    return tiles.permute(0, 2, 1, 3).reshape(length, rank)


def _awq_codes(packed: Tensor) -> Tensor:
    """Return qweight, int32 (N/4, K/2), as unsigned codes uint8 (N, K).

    Sixteen-bit words: four rows take turns at 16 words for 64 columns; a word's nibbles are columns 8 apart.
    """
    quads, half = packed.shape
    words = packed.contiguous().view(torch.int16).view(quads, half // 32, AWQ_ROWS, 2, 8)
    nibbles = torch.stack([words >> shift & 15 for shift in (0, 4, 8, 12)], dim=-2)
    return nibbles.permute(0, 2, 1, 3, 4, 5).reshape(quads * AWQ_ROWS, half * 2).to(torch.uint8)


def _demand(tensors: Mapping[str, Tensor], *wanted: str) -> None:
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise BadCheckpoint(f"nunchaku: a layer lacks {', '.join(missing)}; it has {', '.join(sorted(tensors))}")


def _demand_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise BadCheckpoint(f"nunchaku: {name} is {tuple(tensor.shape)}; {shape} fits its layer")

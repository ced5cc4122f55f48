"""Encodes linear layers in nunchaku's int4 layout: SVDQuant for the layers of a block, AWQ for their modulation.

Plain rounding a group of 64 and the strongest 32 directions in the low rank; no calibration, so smoothing is 1. The
layouts are those that undercard/engine/formats/_nunchaku.py undoes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from undercard.engine.formats._nunchaku import GELU_SHIFT, MODULATIONS

GROUP = 64


def svdq_layer(weight: Tensor, bias: Tensor, rank: int, *, after_gelu: bool) -> dict[str, Tensor]:
    """Return the tensors of a layer, bf16 (N, K) and (N), on the device of *weight*."""
    down, up = _low_rank(weight, rank)
    rest = weight.float() - up.float() @ down.float()
    rows, columns = weight.shape
    grouped = rest.view(rows, -1, GROUP)
    scale = (grouped.abs().amax(2) / 7).clamp(min=1e-8).to(torch.bfloat16)
    codes = (grouped / scale.float()[:, :, None]).round().clamp(-8, 7)
    if after_gelu:
        shift = (codes * scale.float()[:, :, None]).flatten(1).sum(1)
        bias = (bias.float() - GELU_SHIFT * shift).to(torch.bfloat16)
    smooth = torch.ones(columns, dtype=torch.bfloat16, device=weight.device)
    return {
        "qweight": _packed_codes(codes.flatten(1).to(torch.int8)),
        "wscales": _packed_scales(scale),
        "bias": _packed_scales(bias[:, None]).view(-1),
        "smooth_factor": _packed_scales(smooth[:, None]).view(-1),
        "smooth_factor_orig": _packed_scales(smooth[:, None]).view(-1),
        "proj_down": _packed_low_rank(down, transposed=True),
        "proj_up": _packed_low_rank(up, transposed=False),
    }


def awq_modulation(weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """Return the tensors of a modulation, bf16 (6·dim, dim) and (6·dim), rows channel by channel and scales plus 1."""
    rows, columns = weight.shape
    by_channel = weight.float().view(MODULATIONS, -1, columns).transpose(0, 1).reshape(rows, -1, GROUP)
    lifted = bias.float().view(MODULATIONS, -1).clone()
    lifted[1] += 1
    lifted[4] += 1
    zero = by_channel.amin(2).to(torch.bfloat16)
    scale = ((by_channel.amax(2) - zero.float()) / 15).clamp(min=1e-8).to(torch.bfloat16)
    codes = ((by_channel - zero.float()[:, :, None]) / scale.float()[:, :, None]).round().clamp(0, 15)
    return {
        "qweight": _packed_awq(codes.flatten(1).to(torch.int16)),
        "wscales": scale.t().contiguous(),
        "wzeros": zero.t().contiguous(),
        "bias": lifted.t().reshape(rows).to(torch.bfloat16),
    }


def _low_rank(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return down (R, K) and up (N, R), bf16, of the strongest directions of *weight*."""
    torch.manual_seed(0)
    left, values, right = torch.svd_lowrank(weight.float(), q=rank, niter=1)
    root = values.sqrt()
    return (right * root).t().to(torch.bfloat16).contiguous(), (left * root).to(torch.bfloat16).contiguous()


def _packed_codes(codes: Tensor) -> Tensor:
    """Return signed codes, int8 (N, K), as qweight: int8 (N, K/2)."""
    rows, columns = codes.shape
    tiles = (codes & 15).view(torch.uint8).view(rows // 128, 8, 2, 8, 1, columns // 64, 1, 2, 4, 8)
    nibbles = tiles.permute(0, 5, 6, 1, 3, 8, 2, 7, 4, 9).reshape(rows, columns // 2, 2)
    # The last eight nibbles make an int32, the first of them lowest: two a byte, in their order.
    return (nibbles[..., 0] | nibbles[..., 1] << 4).view(torch.int8)


def _packed_scales(scale: Tensor) -> Tensor:
    """Return numbers of every row and group, (N, groups), as wscales: (groups, N)."""
    rows, groups = scale.shape
    tiles = scale.reshape(rows // 128, 1, 8, 2, 4, 2, groups)
    return tiles.permute(0, 6, 1, 2, 4, 3, 5).reshape(groups, rows).contiguous()


def _packed_low_rank(factor: Tensor, *, transposed: bool) -> Tensor:
    """Return up (N, R) as proj_up, or down (R, K) as proj_down, (K, R)."""
    height, width = (side // 16 for side in factor.shape)
    tiles = factor.view(height, 16, width, 16)
    tiles = tiles.permute(2, 0, 1, 3) if transposed else tiles.permute(0, 2, 1, 3)
    first, second = tiles.shape[:2]
    fragments = tiles.reshape(first, second, 2, 8, 1, 2, 4, 2).permute(0, 1, 3, 6, 2, 5, 4, 7)
    return fragments.reshape(first * 16, second * 16).contiguous()


def _packed_awq(codes: Tensor) -> Tensor:
    """Return unsigned codes, int16 (N, K), as qweight: int32 (N/4, K/2)."""
    rows, columns = codes.shape
    words = codes.view(rows // 4, 4, columns // 64, 2, 4, 8).permute(0, 2, 1, 3, 4, 5)
    packed = words[..., 0, :] | words[..., 1, :] << 4 | words[..., 2, :] << 8 | words[..., 3, :] << 12
    return packed.reshape(rows // 4, columns // 2 * 2).contiguous().view(torch.int32)

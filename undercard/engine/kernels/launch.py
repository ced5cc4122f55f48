"""Launches the Triton kernels with the block sizes that were fastest on an H100."""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType

import torch
from torch import Tensor

# The order of PyTorch's own reduction over 128 floats and the contraction in its complex product, found by comparing
# bits (tests/gpu/test_kernels_gpu.py holds them).
PACK_BLOCK = 1024
UNPACK_BLOCK = 2048
PATCH_BLOCK = 1024
HEADS_AT_ONCE = 8
NORM_WARPS = 4
"""As many threads as PyTorch's layer norm has: the order of summing follows from it."""


def gate_add(residual: Tensor, x: Tensor, gate: Tensor, boundary: int) -> Tensor:
    """Return `residual + gate * x`, rounded after each operation; row 0 of *gate* up to *boundary*, row 1 from there.

    Args:
        residual: (tokens, dim), bfloat16.
        x: (tokens, dim), bfloat16.
        gate: (rows, dim), bfloat16; one row is taken for all.
        boundary: how many tokens take row 0.
    """
    tokens, dim = x.shape
    out = x.new_empty(x.shape)
    _kernels().gate_add_kernel[(tokens,)](
        residual, x, gate, out, boundary, dim, _power(dim), enable_fp_fusion=False, num_warps=8
    )
    return out


def norm_modulate(x: Tensor, scale1: Tensor, shift: Tensor, boundary: int) -> Tensor:
    """Return `layer_norm(x) * scale1 + shift`, rounded after each operation; scale1 is 1 + scale.

    Rows of *scale1* and *shift* are taken as in `gate_add`.

    Raises:
        ValueError: the last axis is no multiple of 512, which PyTorch's own order of summing needs.
    """
    tokens, dim = x.shape
    _require_order(dim)
    out = x.new_empty(x.shape)
    _kernels().norm_modulate_kernel[(tokens,)](
        x, scale1, shift, out, boundary, dim, enable_fp_fusion=False, num_warps=NORM_WARPS
    )
    return out


def gate_add_norm_modulate(
    residual: Tensor, x: Tensor, gate: Tensor, scale1: Tensor, shift: Tensor, boundary: int
) -> tuple[Tensor, Tensor]:
    """Return `gate_add` of the first three, and its `norm_modulate`."""
    tokens, dim = x.shape
    _require_order(dim)
    total, out = x.new_empty(x.shape), x.new_empty(x.shape)
    _kernels().gate_add_norm_modulate_kernel[(tokens,)](
        residual, x, gate, total, scale1, shift, out, boundary, dim, enable_fp_fusion=False, num_warps=NORM_WARPS
    )
    return total, out


def norm_and_rotate(joint: Tensor, rotation: Tensor, query_weight: Tensor, key_weight: Tensor) -> None:
    """RMS-normalise and rotate, in place, the queries and keys of *joint*.

    Args:
        joint: queries, keys and values, (tokens, 3, heads, 128), bfloat16, contiguous.
        rotation: cosine and sine of every pair's angle, (tokens, 64, 2), float32.
        query_weight: (128,), bfloat16.
        key_weight: (128,), bfloat16.
    """
    tokens, _, heads, _ = joint.shape
    _kernels().rotate_kernel[(tokens, 2)](
        joint, rotation, query_weight, key_weight, 1e-6, heads, HEADS_AT_ONCE, enable_fp_fusion=False, num_warps=1
    )


def pack(weights: Tensor, low: Tensor, codes: Tensor, head: Tensor, listed: Tensor) -> None:
    """Pack on the device; see packing.py for the planes."""
    half = codes.numel()
    _kernels().pack_kernel[(-(-half // PACK_BLOCK),)](
        weights, low, codes, head, listed, half, len(listed), PACK_BLOCK, num_warps=8
    )


def unpack(low: Tensor, codes: Tensor, head: Tensor, listed: Tensor, weights: Tensor) -> None:
    """Unpack on the device; see packing.py for the planes."""
    half = codes.numel()
    _kernels().unpack_kernel[(-(-half // UNPACK_BLOCK),)](low, codes, head, weights, half, UNPACK_BLOCK, num_warps=4)
    _kernels().patch_kernel[(-(-len(listed) // PATCH_BLOCK),)](head, listed, weights, len(listed), PATCH_BLOCK)


def warm_up(device: torch.device, dim: int) -> None:
    """Compile every kernel for *device* and a model of width *dim*; a few seconds the first time on a machine."""
    with torch.cuda.device(device), torch.cuda.stream(torch.cuda.Stream(device)):
        x = torch.zeros(1, dim, dtype=torch.bfloat16, device=device)
        norm_modulate(x, x, x, 1)
        gate_add(x, x, x, 1)
        gate_add_norm_modulate(x, x, x, x, x, 1)
        joint = torch.zeros(1, 3, dim // 128, 128, dtype=torch.bfloat16, device=device)
        weight = torch.ones(128, dtype=torch.bfloat16, device=device)
        norm_and_rotate(joint, torch.zeros(1, 64, 2, device=device), weight, weight)
        head, listed = (torch.zeros(size, dtype=torch.int32, device=device) for size in ((2,), (16, 2)))
        low, codes = (torch.zeros(size, dtype=torch.uint8, device=device) for size in (32, 16))
        weights = torch.zeros(32, dtype=torch.int16, device=device)
        pack(weights, low, codes, head, listed)
        unpack(low, codes, head, listed, weights)
        torch.cuda.current_stream(device).synchronize()


def _require_order(dim: int) -> None:
    if dim % 512:
        raise ValueError(f"rows of {dim} cannot be normalised in PyTorch's order; the length must be a multiple of 512")


@cache
def _kernels() -> ModuleType:
    # A torch built for the processor comes without Triton, and the rest of the engine works there.
    return importlib.import_module("undercard.engine.kernels.triton_kernels")


def _power(dim: int) -> int:
    return 1 << (dim - 1).bit_length()

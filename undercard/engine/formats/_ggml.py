"""ggml's blocks decoded by PyTorch: uint8 (blocks, bytes) to float32 (blocks, weights).

Field order per ggml's `ggml-common.h`: d and m are float16 (scale and minimum), qs the codes' low four bits with the
first half of the weights in the low nibbles, qh their high bits.
"""

from __future__ import annotations

import torch
from torch import Tensor


def f32(blocks: Tensor) -> Tensor:
    """Return the float32 that they are."""
    return blocks.view(torch.float32)


def f16(blocks: Tensor) -> Tensor:
    """Return the float16 that they are."""
    return blocks.view(torch.float16)


def bf16(blocks: Tensor) -> Tensor:
    """Return the bfloat16 that they are."""
    return blocks.view(torch.bfloat16)


def q8_0(blocks: Tensor) -> Tensor:
    """D, then 32 signed bytes."""
    return _half(blocks, 0) * blocks[:, 2:].view(torch.int8).float()


def q4_0(blocks: Tensor) -> Tensor:
    """D, then 16 bytes of codes that are 8 too great."""
    return _half(blocks, 0) * (_nibbles(blocks[:, 2:]) - 8).float()


def q4_1(blocks: Tensor) -> Tensor:
    """D, m, then 16 bytes of codes."""
    return _half(blocks, 0) * _nibbles(blocks[:, 4:]).float() + _half(blocks, 2)


def q5_0(blocks: Tensor) -> Tensor:
    """D, 32 fifth bits, then 16 bytes of codes that are 16 too great."""
    codes = _nibbles(blocks[:, 6:]) | _bits(blocks[:, 2:6]) << 4
    return _half(blocks, 0) * (codes - 16).float()


def q5_1(blocks: Tensor) -> Tensor:
    """D, m, 32 fifth bits, then 16 bytes of codes."""
    codes = _nibbles(blocks[:, 8:]) | _bits(blocks[:, 4:8]) << 4
    return _half(blocks, 0) * codes.float() + _half(blocks, 2)


def q2_k(blocks: Tensor) -> Tensor:
    """16 bytes of 4-bit scales and minima, 64 of codes, d, m; a byte holds two bits of four weights 32 apart."""
    packed = blocks[:, :16].short()
    scales = _half(blocks, 80) * (packed & 15).float()
    minima = _half(blocks, 82) * (packed >> 4).float()
    codes = _pairs(blocks[:, 16:80]).view(-1, 16, 16).float()
    return (scales[:, :, None] * codes - minima[:, :, None]).flatten(1)


def q3_k(blocks: Tensor) -> Tensor:
    """32 bytes of third bits, 64 of codes as in Q2_K, 12 of sixteen 6-bit scales that are 32 too great, d."""
    shifts = torch.arange(8, dtype=torch.int16, device=blocks.device)
    third = blocks[:, None, :32].short() >> shifts[:, None] & 1
    codes = _pairs(blocks[:, 32:96]).view(-1, 16, 16) + third.reshape(-1, 16, 16) * 4 - 4
    packed = blocks[:, 96:108].short()
    low = torch.cat((packed[:, :8] & 15, packed[:, :8] >> 4), dim=1)
    high = (packed[:, None, 8:] >> shifts[:8:2, None] & 3).flatten(1)
    scales = _half(blocks, 108) * ((low | high << 4) - 32).float()
    return (scales[:, :, None] * codes.float()).flatten(1)


def q4_k(blocks: Tensor) -> Tensor:
    """D, m, 12 bytes of eight 6-bit scales and minima, then four times 32 bytes: sub-block 2i low, 2i + 1 high."""
    return _with_minima(blocks, _nibbles(blocks[:, 16:].reshape(-1, 4, 32)).view(-1, 8, 32))


def q5_k(blocks: Tensor) -> Tensor:
    """As Q4_K with 32 bytes of fifth bits before the codes: bit i of byte j is weight j's of sub-block i."""
    low = _nibbles(blocks[:, 48:].reshape(-1, 4, 32)).view(-1, 8, 32)
    shifts = torch.arange(8, dtype=torch.int16, device=blocks.device)
    fifth = blocks[:, None, 16:48].short() >> shifts[:, None] & 1
    return _with_minima(blocks, low | fifth << 4)


def q6_k(blocks: Tensor) -> Tensor:
    """Per 128 weights 64 bytes of low nibbles, then per 128 weights 32 of high bit pairs, 16 signed scales, d."""
    low = _nibbles(blocks[:, :128].reshape(-1, 2, 64)).view(-1, 2, 4, 32)
    codes = (low | _pairs(blocks[:, 128:192]).view(-1, 2, 4, 32) << 4) - 32
    scales = _half(blocks, 208) * blocks[:, 192:208].view(torch.int8).float()
    return (codes.reshape(-1, 16, 16).float() * scales[:, :, None]).flatten(1)


def _half(blocks: Tensor, offset: int) -> Tensor:
    """Return the float16 at *offset* of every block, as float32 (blocks, 1)."""
    return blocks[:, offset : offset + 2].contiguous().view(torch.float16).float()


def _nibbles(codes: Tensor) -> Tensor:
    """Return the low nibbles of the last axis, then its high ones, int16 (blocks, …)."""
    return torch.cat((codes & 15, codes >> 4), dim=-1).short().flatten(1)


def _pairs(codes: Tensor) -> Tensor:
    """Return two-bit codes, int16 (blocks, 256), of uint8 (blocks, 64): four of each byte, 32 weights apart."""
    shifts = torch.arange(0, 8, 2, dtype=torch.int16, device=codes.device)
    return (codes.reshape(-1, 2, 1, 32).short() >> shifts[:, None] & 3).flatten(1)


def _bits(packed: Tensor) -> Tensor:
    """Return the bits of uint8 (blocks, bytes), lowest first, int16 (blocks, 8 · bytes)."""
    shifts = torch.arange(8, dtype=torch.int16, device=packed.device)
    return (packed[:, :, None].short() >> shifts & 1).flatten(1)


def _with_minima(blocks: Tensor, codes: Tensor) -> Tensor:
    """Return d · scale · code − m · minimum for *codes* (blocks, 8, 32)."""
    first, second, high = blocks[:, 4:16].short().view(-1, 3, 4).unbind(1)
    # Scales and minima 4 to 7 lie in the nibbles of the last four bytes; the top bit pairs of the first eight end them.
    scales = torch.cat((first & 63, high & 15 | first >> 6 << 4), dim=1)
    minima = torch.cat((second & 63, high >> 4 | second >> 6 << 4), dim=1)
    scaled = (_half(blocks, 0) * scales.float())[:, :, None] * codes.float()
    return (scaled - (_half(blocks, 2) * minima.float())[:, :, None]).flatten(1)

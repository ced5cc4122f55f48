"""Encodes weights in ggml's Q4_K and Q6_K where they lie, card or processor, by plain rounding.

gguf-py only reads these, and llama.cpp's own search for the best scales would take minutes for 20 billion weights.
Field order per ggml's `ggml-common.h`, as in undercard/engine/formats/_ggml.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK_WEIGHTS = 1 << 25
"""Encoded at a time: a few hundred MB of float32."""
SMALLEST = 1e-12
"""Keeps a group of zeros from being divided by zero."""


def encode(type_name: str, weight: Tensor) -> Tensor:
    """Return the blocks of *weight*, (N, K) with K a multiple of 256: uint8 (N, bytes of a row)."""
    encoder = {"Q4_K": _q4_k, "Q6_K": _q6_k}[type_name]
    step = max(1, CHUNK_WEIGHTS // weight.shape[1])
    return torch.cat([encoder(rows.float()).view(len(rows), -1) for rows in weight.split(step)])


def _q4_k(weight: Tensor) -> Tensor:
    groups = weight.reshape(-1, 8, 32)
    depth = (-groups.amin(2)).clamp(min=0)
    step = (groups.amax(2) + depth) / 15
    both = torch.stack((step, depth), dim=1)
    halves = (both.amax(2) / 63).half()
    exact = halves.float()[:, :, None].clamp(min=SMALLEST)
    scales, minima = (both / exact).round().clamp(0, 63).to(torch.uint8).unbind(1)
    steps = (exact[:, 0] * scales).clamp(min=SMALLEST)[:, :, None]
    codes = ((groups + (exact[:, 1] * minima)[:, :, None]) / steps).round().clamp(0, 15).to(torch.uint8)
    first = scales[:, :4] | scales[:, 4:] >> 4 << 6
    second = minima[:, :4] | minima[:, 4:] >> 4 << 6
    third = scales[:, 4:] & 15 | (minima[:, 4:] & 15) << 4
    return torch.cat((halves.view(torch.uint8), first, second, third, _nibble_pairs(codes)), dim=1)


def _q6_k(weight: Tensor) -> Tensor:
    groups = weight.reshape(-1, 16, 16)
    step = groups.abs().amax(2) / 31
    halves = (step.amax(1, keepdim=True) / 127).half()
    exact = halves.float().clamp(min=SMALLEST)
    scales = (step / exact).round().clamp(1, 127).to(torch.int8)
    codes = ((groups / (exact * scales)[:, :, None]).round().clamp(-32, 31) + 32).to(torch.uint8)
    quarters = codes.view(-1, 2, 2, 2, 32)
    low = quarters[:, :, 0] & 15 | (quarters[:, :, 1] & 15) << 4
    tops = (codes >> 4).view(-1, 2, 4, 32)
    high = tops[:, :, 0] | tops[:, :, 1] << 2 | tops[:, :, 2] << 4 | tops[:, :, 3] << 6
    return torch.cat((low.flatten(1), high.flatten(1), scales.view(torch.uint8), halves.view(torch.uint8)), dim=1)


def _nibble_pairs(codes: Tensor) -> Tensor:
    """Return codes (blocks, 8, 32), of which two sub-blocks share bytes, as (blocks, 128)."""
    return (codes[:, 0::2] | codes[:, 1::2] << 4).flatten(1)

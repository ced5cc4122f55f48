"""Encoders of ggml's K-quants, which gguf-py can only decode: plain rounding, none of llama.cpp's searching."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def q2_k(weight: Floats) -> Bytes:
    groups = weight.reshape(-1, 16, 16)
    depth = -np.minimum(groups.min(2), 0)
    step = (groups.max(2) + depth) / 3
    both = np.stack((step, depth), axis=1)
    d_and_m = (both.max(2) / 15).astype(np.float16)
    exact = d_and_m.astype(np.float32)[:, :, None]
    scales, minima = np.rint(both / exact).clip(0, 15).astype(np.uint8).transpose(1, 0, 2)
    steps = np.maximum(exact[:, 0] * scales, 1e-20)[:, :, None]
    codes = np.rint((groups + (exact[:, 1] * minima)[:, :, None]) / steps).clip(0, 3).astype(np.uint8)
    return _rows(weight, scales | minima << np.uint8(4), _pairs(codes), d_and_m.view(np.uint8))


def q3_k(weight: Floats) -> Bytes:
    groups = weight.reshape(-1, 16, 16)
    step = np.abs(groups).max(2) / 4
    d = (step.max(1, keepdims=True) / 31).astype(np.float16)
    scales = np.rint(step / d.astype(np.float32)).clip(1, 31).astype(np.uint8)
    codes = np.clip(np.rint(groups / (d.astype(np.float32) * scales)[:, :, None]), -4, 3) + 4
    codes = codes.astype(np.uint8)
    third = np.packbits((codes >> 2).reshape(-1, 8, 32), axis=1, bitorder="little").reshape(-1, 32)
    scales += 32
    low = scales[:, :8] & 15 | (scales[:, 8:] & 15) << 4
    tops = (scales >> 4).reshape(-1, 4, 4) << np.arange(0, 8, 2, dtype=np.uint8)[:, None]
    return _rows(weight, third, _pairs(codes & 3), low, np.bitwise_or.reduce(tops, axis=1), d.view(np.uint8))


def q4_k(weight: Floats) -> Bytes:
    d_and_m, packed, codes = _with_minima(weight, largest=15)
    return _rows(weight, d_and_m, packed, _nibble_pairs(codes))


def q5_k(weight: Floats) -> Bytes:
    d_and_m, packed, codes = _with_minima(weight, largest=31)
    fifth = np.packbits(codes >> 4, axis=1, bitorder="little").reshape(-1, 32)
    return _rows(weight, d_and_m, packed, fifth, _nibble_pairs(codes & np.uint8(15)))


def q6_k(weight: Floats) -> Bytes:
    groups = weight.reshape(-1, 16, 16)
    step = np.abs(groups).max(2) / 31
    d = (step.max(1, keepdims=True) / 127).astype(np.float16)
    scales = np.rint(step / d.astype(np.float32)).astype(np.int8)
    exact = (d.astype(np.float32) * scales)[:, :, None]
    codes = (np.clip(np.rint(groups / exact), -32, 31) + 32).astype(np.uint8).reshape(-1, 2, 2, 2, 32)
    low = codes[:, :, 0] & 15 | (codes[:, :, 1] & 15) << 4
    return _rows(weight, low.reshape(-1, 128), _pairs(codes >> 4), scales.view(np.uint8), d.view(np.uint8))


ENCODERS = {"gguf-q2-k": q2_k, "gguf-q3-k": q3_k, "gguf-q4-k": q4_k, "gguf-q5-k": q5_k, "gguf-q6-k": q6_k}


def _with_minima(weight: Floats, largest: int) -> tuple[Bytes, Bytes, Bytes]:
    """Return d and m (blocks, 4), the packed scales and minima (blocks, 12) and the codes (blocks, 8, 32)."""
    groups = weight.reshape(-1, 8, 32)
    depth = -np.minimum(groups.min(2), 0)
    step = (groups.max(2) + depth) / largest
    both = np.stack((step, depth), axis=1)
    d_and_m = (both.max(2) / 63).astype(np.float16)
    exact = d_and_m.astype(np.float32)[:, :, None]
    scales, minima = np.rint(both / exact).clip(0, 63).astype(np.uint8).transpose(1, 0, 2)
    steps, depths = (exact[:, 0] * scales)[:, :, None], (exact[:, 1] * minima)[:, :, None]
    codes = np.rint((groups + depths) / steps).clip(0, largest).astype(np.uint8)
    first = scales[:, :4] | scales[:, 4:] >> 4 << 6
    second = minima[:, :4] | minima[:, 4:] >> 4 << 6
    third = scales[:, 4:] & 15 | (minima[:, 4:] & 15) << 4
    return d_and_m.view(np.uint8), np.concatenate((first, second, third), axis=1), codes


def _pairs(codes: Bytes) -> Bytes:
    """Return two bits of each of 256 *codes* a block, four to a byte and 32 weights apart, (blocks, 64)."""
    shifted = codes.reshape(-1, 2, 4, 32) << np.arange(0, 8, 2, dtype=np.uint8)[:, None]
    whole: Bytes = np.bitwise_or.reduce(shifted, axis=2)
    return whole.reshape(-1, 64)


def _nibble_pairs(codes: Bytes) -> Bytes:
    pairs: Bytes = codes[:, 0::2] | codes[:, 1::2] << np.uint8(4)
    return pairs.reshape(-1, 128)


def _rows(weight: Floats, *fields: Bytes) -> Bytes:
    return np.concatenate(fields, axis=1).reshape(len(weight), -1)

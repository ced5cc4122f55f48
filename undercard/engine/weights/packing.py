"""Packing bfloat16 weights into 12 bits without loss.

The 8 exponent bits of trained weights hold under 3 bits of information (Zhang et al., "70% Size, 100% Accuracy",
2025, measure 2.6): nearly all lie in a window of 14 neighbouring exponents. Sign and mantissa stay a byte; the exponent
becomes a 4-bit code: 0 for zeros and subnormals, 1 to 14 for the window, 15 for an escape that a list at the end spells
out. Codes of fixed width can be decoded by any thread on its own, at the speed of memory.

Packed, n weights are: two int32 (the exponent before the window's first; the number of escapes), n bytes of sign and
mantissa, n/2 bytes of codes (weight i in the low half and weight i + n/2 in the high half of byte i), and for each
escape two int32 (its place; its exponent).
"""

from __future__ import annotations

import torch
from torch import Tensor

HEAD_BYTES = 16
WINDOW = 14
ESCAPE = 15
ESCAPE_BYTES = 8
ESCAPES_PER_WEIGHT = 1 / 64
"""More would cost more than plain storage gains; Gaussian weights need 1/3300."""
SAMPLE = 1 << 20
BLOCK = 2048


def escapes(count: int) -> int:
    """Return how many escapes *count* weights may have."""
    return max(16, int(count * ESCAPES_PER_WEIGHT))


def capacity(count: int) -> int:
    """Return the most bytes that *count* weights take, which must be a multiple of 16."""
    return HEAD_BYTES + count + count // 2 + ESCAPE_BYTES * escapes(count)


def typical(count: int) -> int:
    """Return the bytes that *count* trained weights take: one escape in 2,000."""
    return HEAD_BYTES + count + count // 2 + ESCAPE_BYTES * (count // 2000)


def pack(weights: Tensor, kept: Tensor) -> Tensor:
    """Pack *weights* into *kept*.

    Args:
        weights: the bits of bfloat16 numbers as int16, (n,), n a multiple of 16.
        kept: uint8, (capacity(n),), on the same device.

    Returns:
        How many bytes are used, int64 on the device; 0 when there are too many escapes.
    """
    count = weights.numel()
    head, low, codes, listed = _planes(kept, count)
    head[0] = _window_start(weights)
    head[1] = 0
    if weights.is_cuda:
        from undercard.engine.kernels import launch

        launch.pack(weights, low, codes, head, listed)
    else:
        _pack(weights, low, codes, head, listed)
    found = head[1].to(torch.int64)
    used = HEAD_BYTES + count + count // 2 + ESCAPE_BYTES * found
    return torch.where(found <= escapes(count), used, torch.zeros_like(used))


def unpack(kept: Tensor, weights: Tensor) -> None:
    """Fill *weights*, int16 (n,), with the bits that `pack` was given."""
    head, low, codes, listed = _planes(kept, weights.numel())
    if weights.is_cuda:
        from undercard.engine.kernels import launch

        launch.unpack(low, codes, head, listed, weights)
    else:
        _unpack(low, codes, head, listed, weights)


def _planes(kept: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return views of the head, the bytes, the codes and the list of escapes (as many as *kept* has room for)."""
    if count % 16:
        raise ValueError(f"{count} weights cannot be packed; the number must be a multiple of 16")
    head = kept[:8].view(torch.int32)
    low = kept[HEAD_BYTES : HEAD_BYTES + count]
    codes = kept[HEAD_BYTES + count : HEAD_BYTES + count + count // 2]
    rest = kept[HEAD_BYTES + count + count // 2 :]
    listed = rest[: rest.numel() // ESCAPE_BYTES * ESCAPE_BYTES].view(torch.int32).view(-1, 2)
    return head, low, codes, listed


def _window_start(weights: Tensor) -> Tensor:
    """Return the exponent before the window that holds most of a sample spread over *weights*."""
    sample = weights[:: max(1, weights.numel() // SAMPLE)]
    exponents = (sample >> 7) & 0xFF
    counts = torch.bincount(exponents.to(torch.int32), minlength=256)
    # Exponent 0 has a code of its own, so no window needs to begin below 1.
    return counts[1:].unfold(0, WINDOW, 1).sum(1).argmax()


def _pack(weights: Tensor, low: Tensor, codes: Tensor, head: Tensor, listed: Tensor) -> None:
    bits = weights.to(torch.int32)
    exponents = (bits >> 7) & 0xFF
    code = exponents - head[0]
    known = (code >= 1) & (code <= WINDOW)
    code = torch.where(exponents == 0, 0, torch.where(known, code, ESCAPE))
    low.copy_(((bits >> 8) & 0x80) | (bits & 0x7F))
    first, second = code.chunk(2)
    codes.copy_(first | (second << 4))
    places = torch.nonzero(code == ESCAPE).flatten().to(torch.int32)
    head[1] = len(places)
    fitting = places[: len(listed)]
    listed[: len(fitting), 0] = fitting
    listed[: len(fitting), 1] = exponents[fitting.to(torch.int64)]


def _unpack(low: Tensor, codes: Tensor, head: Tensor, listed: Tensor, weights: Tensor) -> None:
    code = torch.cat([codes & 15, codes >> 4]).to(torch.int32)
    exponents = torch.where(code == 0, 0, code + head[0])
    found = listed[: int(head[1])]
    exponents[found[:, 0].to(torch.int64)] = found[:, 1]
    bits = low.to(torch.int32)
    weights.copy_(((bits & 0x80) << 8) | (exponents << 7) | (bits & 0x7F))

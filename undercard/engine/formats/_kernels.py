"""Triton kernels that decode weights; each gives the very bits of PyTorch's path in the file of its format.

Arithmetic is float32, rounded once to bfloat16, and no multiplication is fused with an addition unless its product is
exact: every launch passes `enable_fp_fusion=False`. Tiles are flat wherever a row holds whole groups, so that stores
are contiguous. Imported only where a CUDA tensor is to be filled.
"""

# Triton's functions are compiled from their source: annotations beyond `tl.constexpr` and docstrings stay out of them.
# mypy: ignore-errors

import torch
import triton
import triton.language as tl
from torch import Tensor

from undercard.errors import BadInput


@triton.jit
def _per_row(values, scale, out, rows, columns, is_float: tl.constexpr, height: tl.constexpr, width: tl.constexpr):
    row = tl.program_id(0) * height + tl.arange(0, height)
    column = tl.program_id(1) * width + tl.arange(0, width)
    inside = (row < rows)[:, None] & (column < columns)[None, :]
    at = row.to(tl.int64)[:, None] * columns + column[None, :]
    raw = tl.load(values + at, mask=inside, other=0)
    if is_float:
        # e4m3 shifted into float16's exponent and mantissa is 2⁻⁸ of its value, subnormals too. Cards before sm_89 lack
        # the conversion that would say so.
        byte = raw.to(tl.int16)
        half = ((byte & 0x80) << 8) | ((byte & 0x7F) << 7)
        value = half.to(tl.float16, bitcast=True).to(tl.float32) * 256.0
        value = tl.where((byte & 0x7F) == 0x7F, float("nan"), value)
    else:
        value = raw.to(tl.float32)
    scaled = value * tl.load(scale + row, mask=row < rows, other=0.0)[:, None]
    tl.store(out + at, scaled.to(tl.bfloat16), mask=inside)


@triton.jit
def _nf4(codes, absmax, book, out, groups, height: tl.constexpr):
    first = tl.program_id(0).to(tl.int64) * height
    group = tl.arange(0, height)
    inside = (first + group < groups)[:, None]
    byte = tl.load(codes + first * 32 + group[:, None] * 32 + tl.arange(0, 32)[None, :], mask=inside, other=0)
    code = tl.interleave(byte >> 4, byte & 15).to(tl.int32)
    magnitude = tl.load(absmax + first + group, mask=first + group < groups, other=0.0).to(tl.float32)
    value = (tl.load(book + code) * magnitude[:, None]).to(tl.bfloat16)
    tl.store(out + first * 64 + group[:, None] * 64 + tl.arange(0, 64)[None, :], value, mask=inside)


@triton.jit
def _svdq(
    codes, scale, unsmooth, down, up, out, rows, columns, rank: tl.constexpr, height: tl.constexpr, width: tl.constexpr
):
    rows_of = (tl.program_id(0) * height + tl.arange(0, height)).to(tl.int64)
    within = rows_of < rows
    row, inside = rows_of[:, None], within[:, None]
    group = tl.program_id(1)
    columns_of = group * width + tl.arange(0, width)
    half = group * (width // 2) + tl.arange(0, width // 2)[None, :]
    byte = tl.load(codes + row * (columns // 2) + half, mask=inside, other=0)
    code = tl.interleave(byte & 15, byte >> 4).to(tl.int32)
    value = ((code ^ 8) - 8).to(tl.float32)
    value *= tl.load(scale + rows_of * (columns // width) + group, mask=within, other=0.0).to(tl.float32)[:, None]
    value *= tl.load(unsmooth + columns_of)[None, :]
    # On tensor cores, which add in an order of their own: one by one, a rank of 128 took 3.0 ms a block.
    together: tl.constexpr = 64 if rank > 64 else rank
    for start in range(0, rank, together):
        ranks = start + tl.arange(0, together)
        left = tl.load(up + row * rank + ranks[None, :], mask=inside, other=0.0)
        right = tl.load(down + ranks[:, None] * columns + columns_of[None, :])
        value = tl.dot(left, right, value)
    tl.store(out + row * columns + columns_of[None, :], value.to(tl.bfloat16), mask=inside)


@triton.jit
def _q8_0(raw, halves, out, groups, height: tl.constexpr):
    first = tl.program_id(0).to(tl.int64) * height
    group = tl.arange(0, height)
    within = first + group < groups
    weight = tl.arange(0, 32)[None, :]
    scale = tl.load(halves + first * 17 + group * 17, mask=within, other=0.0).to(tl.float32)[:, None]
    group, inside = group[:, None], within[:, None]
    code = tl.load(raw + first * 34 + group * 34 + 2 + weight, mask=inside, other=0).to(tl.int8, bitcast=True)
    tl.store(out + first * 32 + group * 32 + weight, (scale * code.to(tl.float32)).to(tl.bfloat16), mask=inside)


@triton.jit
def _legacy(
    raw, halves, words, out, groups, size: tl.constexpr, five: tl.constexpr, minimum: tl.constexpr, height: tl.constexpr
):
    # Q4_0, Q4_1, Q5_0, Q5_1: d, m where there is one, 32 fifth bits where there are, 16 bytes of low nibbles.
    first = tl.program_id(0).to(tl.int64) * height
    groups_of = tl.arange(0, height)
    within = first + groups_of < groups
    group, inside = groups_of[:, None], within[:, None]
    byte = tl.arange(0, 16)[None, :]
    half = first * (size // 2) + groups_of * (size // 2)
    packed = tl.load(raw + first * size + group * size + (size - 16) + byte, mask=inside, other=0).to(tl.int32)
    low, high = packed & 15, packed >> 4
    if five:
        bits = words + half + (2 if minimum else 1)
        low |= ((tl.load(bits, mask=within, other=0).to(tl.int32)[:, None] >> byte) & 1) << 4
        high |= ((tl.load(bits + 1, mask=within, other=0).to(tl.int32)[:, None] >> byte) & 1) << 4
    scale = tl.load(halves + half, mask=within, other=0.0).to(tl.float32)[:, None]
    if minimum:
        least = tl.load(halves + half + 1, mask=within, other=0.0).to(tl.float32)[:, None]
        first_half = scale * low.to(tl.float32) + least
        second_half = scale * high.to(tl.float32) + least
    else:
        middle: tl.constexpr = 16 if five else 8
        first_half = scale * (low - middle).to(tl.float32)
        second_half = scale * (high - middle).to(tl.float32)
    at = out + first * 32 + group * 32 + byte
    tl.store(at, first_half.to(tl.bfloat16), mask=inside)
    tl.store(at + 16, second_half.to(tl.bfloat16), mask=inside)


@triton.jit
def _scale_and_minimum(scales, index, inside):
    # The 6-bit scale and minimum of sub-block *index*, packed into 12 bytes as ggml's get_scale_min_k4 reads them.
    late = index >= 4
    a = tl.load(scales + index, mask=inside, other=0).to(tl.int32)
    b = tl.load(scales + index + 4, mask=inside, other=0).to(tl.int32)
    c = tl.load(scales + index - 4, mask=inside & late, other=0).to(tl.int32)
    scale = tl.where(late, (b & 15) | ((c >> 6) << 4), a & 63)
    minimum = tl.where(late, (b >> 4) | ((a >> 6) << 4), b & 63)
    return scale.to(tl.float32), minimum.to(tl.float32)


@triton.jit
def _q45_k(raw, halves, out, groups, five: tl.constexpr, height: tl.constexpr):
    # A row of the tile is 32 bytes of codes: sub-block 2i in the low nibbles, 2i + 1 in the high ones.
    size: tl.constexpr = 176 if five else 144
    first = tl.program_id(0).to(tl.int64) * (height // 4)
    quarters = tl.arange(0, height)
    block, quarter = quarters // 4, quarters % 4
    within = first * 4 + quarters < groups
    inside = within[:, None]
    byte = tl.arange(0, 32)[None, :]
    start = raw + first * size + block * size
    packed = tl.load((start + (size - 128) + quarter * 32)[:, None] + byte, mask=inside, other=0).to(tl.int32)
    low, high = packed & 15, packed >> 4
    if five:
        fifth = tl.load((start + 16)[:, None] + byte, mask=inside, other=0).to(tl.int32) >> (2 * quarter)[:, None]
        low |= (fifth & 1) << 4
        high |= ((fifth >> 1) & 1) << 4
    half = halves + first * (size // 2) + block * (size // 2)
    d = tl.load(half, mask=within, other=0.0).to(tl.float32)
    m = tl.load(half + 1, mask=within, other=0.0).to(tl.float32)
    scale, minimum = _scale_and_minimum(start + 4, 2 * quarter, within)
    even = (d * scale)[:, None] * low.to(tl.float32) - (m * minimum)[:, None]
    scale, minimum = _scale_and_minimum(start + 4, 2 * quarter + 1, within)
    odd = (d * scale)[:, None] * high.to(tl.float32) - (m * minimum)[:, None]
    at = out + first * 256 + quarters[:, None] * 64 + byte
    tl.store(at, even.to(tl.bfloat16), mask=inside)
    tl.store(at + 32, odd.to(tl.bfloat16), mask=inside)


@triton.jit
def _q2_k(raw, halves, out, groups, height: tl.constexpr):
    # A row of the tile is half a block: 128 weights, four for each of 32 bytes of codes.
    first = tl.program_id(0).to(tl.int64) * (height // 2)
    group = tl.arange(0, height)[:, None]
    block, side = group // 2, group % 2
    inside = first * 2 + group < groups
    byte = tl.arange(0, 32)[None, :]
    start = raw + first * 84 + block * 84
    packed = tl.load(start + 16 + side * 32 + byte, mask=inside, other=0).to(tl.int32)
    d = tl.load(halves + first * 42 + block * 42 + 40, mask=inside, other=0.0).to(tl.float32)
    m = tl.load(halves + first * 42 + block * 42 + 41, mask=inside, other=0.0).to(tl.float32)
    scales = start + side * 8 + byte // 16
    at = out + first * 256 + group * 128 + byte
    for part in tl.static_range(4):
        both = tl.load(scales + 2 * part, mask=inside, other=0).to(tl.int32)
        code = ((packed >> (2 * part)) & 3).to(tl.float32)
        value = (d * (both & 15).to(tl.float32)) * code - m * (both >> 4).to(tl.float32)
        tl.store(at + 32 * part, value.to(tl.bfloat16), mask=inside)


@triton.jit
def _q3_k(raw, halves, out, groups, height: tl.constexpr):
    # As Q2_K, with a third bit of every code and 6-bit scales: their low nibbles in eight bytes, their tops in four.
    first = tl.program_id(0).to(tl.int64) * (height // 2)
    group = tl.arange(0, height)[:, None]
    block, side = group // 2, group % 2
    inside = first * 2 + group < groups
    byte = tl.arange(0, 32)[None, :]
    start = raw + first * 110 + block * 110
    third = tl.load(start + byte, mask=inside, other=0).to(tl.int32) >> (4 * side)
    packed = tl.load(start + 32 + side * 32 + byte, mask=inside, other=0).to(tl.int32)
    d = tl.load(halves + first * 55 + block * 55 + 54, mask=inside, other=0.0).to(tl.float32)
    at = out + first * 256 + group * 128 + byte
    for part in tl.static_range(4):
        index = 2 * part + byte // 16
        low = tl.load(start + 96 + index, mask=inside, other=0).to(tl.int32) >> (4 * side)
        top = tl.load(start + 104 + index % 4, mask=inside, other=0).to(tl.int32) >> (4 * side + 2 * (part // 2))
        scale = ((low & 15) | ((top & 3) << 4)) - 32
        code = ((packed >> (2 * part)) & 3) + 4 * ((third >> part) & 1) - 4
        value = (d * scale.to(tl.float32)) * code.to(tl.float32)
        tl.store(at + 32 * part, value.to(tl.bfloat16), mask=inside)


@triton.jit
def _q6_k(raw, halves, out, groups, height: tl.constexpr):
    # A row of the tile is half a block: 128 weights, four for each of 32 bytes of high bits.
    first = tl.program_id(0).to(tl.int64) * (height // 2)
    group = tl.arange(0, height)[:, None]
    block, side = group // 2, group % 2
    inside = first * 2 + group < groups
    byte = tl.arange(0, 32)[None, :]
    start = raw + first * 210 + block * 210
    left = tl.load(start + side * 64 + byte, mask=inside, other=0).to(tl.int32)
    right = tl.load(start + side * 64 + 32 + byte, mask=inside, other=0).to(tl.int32)
    high = tl.load(start + 128 + side * 32 + byte, mask=inside, other=0).to(tl.int32)
    d = tl.load(halves + first * 105 + block * 105 + 104, mask=inside, other=0.0).to(tl.float32)
    scales = start + 192 + side * 8 + byte // 16
    at = out + first * 256 + group * 128 + byte
    for part in tl.static_range(4):
        nibble = (left if part % 2 == 0 else right) >> (4 * (part // 2))
        code = ((nibble & 15) | (((high >> (2 * part)) & 3) << 4)) - 32
        scale = tl.load(scales + 2 * part, mask=inside, other=0).to(tl.int8, bitcast=True).to(tl.float32)
        tl.store(at + 32 * part, ((d * scale) * code.to(tl.float32)).to(tl.bfloat16), mask=inside)


def per_row(values: Tensor, scale: Tensor, out: Tensor) -> None:
    """Fill *out* (N, K) with *values* (N, K), int8 or float8_e4m3fn, times *scale* (N)."""
    rows, columns = out.shape
    is_float = values.dtype == torch.float8_e4m3fn
    raw = values.view(torch.uint8) if is_float else values
    grid = (triton.cdiv(rows, 4), triton.cdiv(columns, 1024))
    _launch(_per_row, grid, raw, scale, out, rows, columns, is_float, 4, 1024, num_warps=8)


def nf4(codes: Tensor, absmax: Tensor, book: Tensor, out: Tensor) -> None:
    """Fill *out* (N, K) from two *codes* a byte, the first high, the *book* (16) and *absmax* (N, K/64)."""
    groups = out.numel() // 64
    _launch(_nf4, (triton.cdiv(groups, 64),), codes, absmax, book, out, groups, 64, num_warps=8)


def svdq(codes: Tensor, scale: Tensor, unsmooth: Tensor, down: Tensor, up: Tensor, out: Tensor) -> None:
    """Fill *out* (N, K) from the parts that `SvdqInt4.parts` describes."""
    rows, columns = out.shape
    grid = (triton.cdiv(rows, 128), columns // 64)
    _launch(_svdq, grid, codes, scale, unsmooth, down, up, out, rows, columns, len(down), 128, 64, num_warps=4)


def ggml(type_name: str, blocks: Tensor, out: Tensor) -> None:
    """Fill *out* (N, K) from *blocks* of ggml's type *type_name*."""
    halves, words, weights = blocks.view(torch.float16), blocks.view(torch.int16), out.numel()
    if type_name == "Q8_0":
        kernel, group, height, given = _q8_0, 32, 128, (blocks, halves, out, weights // 32)
    elif type_name in _LEGACY:
        given = (blocks, halves, words, out, weights // 32, *_LEGACY[type_name])
        kernel, group, height = _legacy, 32, 128
    elif type_name in {"Q4_K", "Q5_K"}:
        kernel, group, height, given = _q45_k, 64, 64, (blocks, halves, out, weights // 64, type_name == "Q5_K")
    elif type_name in _HALVES:
        kernel, group, height, given = _HALVES[type_name], 128, 32, (blocks, halves, out, weights // 128)
    else:
        raise BadInput(f"no kernel decodes ggml's {type_name}")
    _launch(kernel, (triton.cdiv(weights // group, height),), *given, height, num_warps=4)


def _launch(kernel: object, grid: tuple[int, ...], *given: object, num_warps: int) -> None:
    # Triton launches on the current device, which need not be the one that holds the tensors.
    with torch.cuda.device_of(next(each for each in given if isinstance(each, Tensor))):
        kernel[grid](*given, num_warps=num_warps, enable_fp_fusion=False)


# Bytes of a block, whether codes have a fifth bit, whether there is a minimum.
_LEGACY = {
    "Q4_0": (18, False, False),
    "Q4_1": (20, False, True),
    "Q5_0": (22, True, False),
    "Q5_1": (24, True, True),
}
# Types whose kernels take half a block at a time.
_HALVES = {"Q2_K": _q2_k, "Q3_K": _q3_k, "Q6_K": _q6_k}

"""Triton kernels that give the very bits of the chains of PyTorch kernels that they replace.

Each rounds to bfloat16 wherever the chain does. No product is fused with a sum unless PyTorch's own kernel fuses them:
every launch passes `enable_fp_fusion=False`, and `tl.fma` stands where nvcc contracts the first product of a sum.
"""

# Triton compiles these functions from their source and knows no annotation but `tl.constexpr`.
# mypy: ignore-errors
# ruff: noqa: D103

import triton
import triton.language as tl


@triton.jit
def _modulated(a, scale1, shift, inside):
    # scale1 holds 1 + scale, rounded as PyTorch rounds it.
    s = tl.load(scale1, mask=inside).to(tl.float32)
    t = tl.load(shift, mask=inside).to(tl.float32)
    product = (a * s).to(tl.bfloat16).to(tl.float32)
    return (product + t).to(tl.bfloat16)


@triton.jit(do_not_specialize=["boundary"])
def gate_add_kernel(residual, x, gate, out, boundary, dim: tl.constexpr, block: tl.constexpr):
    row = tl.program_id(0)
    columns = tl.arange(0, block)
    inside = columns < dim
    which = tl.where(row < boundary, 0, dim)
    at = row.to(tl.int64) * dim + columns
    tl.store(out + at, _gated(residual + at, x + at, gate + which + columns, inside), mask=inside)


@triton.jit
def _gated(residual, x, gate, inside):
    g = tl.load(gate, mask=inside).to(tl.float32)
    a = tl.load(x, mask=inside).to(tl.float32)
    h = tl.load(residual, mask=inside).to(tl.float32)
    product = (g * a).to(tl.bfloat16).to(tl.float32)
    return (h + product).to(tl.bfloat16)


@triton.jit
def _welford_step(value, mean, squares, reciprocal):
    delta = value - mean
    mean = tl.fma(delta, reciprocal, mean)
    return mean, tl.fma(delta, value - mean, squares)


@triton.jit
def _welford_join(mean_b, squares_b, count_b, mean_a, squares_a, count_a):
    count = count_a + count_b
    coefficient = tl.div_rn(1.0, count)
    share_a = count_a * coefficient
    share_b = count_b * coefficient
    delta = mean_b - mean_a
    mean = tl.fma(share_a, mean_a, share_b * mean_b)
    squares = tl.fma(delta * delta * count_a, share_b, squares_a + squares_b)
    return mean, squares, count


@triton.jit
def _moments(tile_pointer, lanes, quad, dim: tl.constexpr):
    # PyTorch's order: 128 threads walk the row in fours, then 32 lanes and 4 warps join by halves.
    mean = tl.zeros((128,), tl.float32)
    squares = tl.zeros((128,), tl.float32)
    for start in tl.static_range(0, dim, 512):
        tile = tl.load(tile_pointer + start + lanes[:, None] * 4 + quad[None, :]).to(tl.float32)
        even, odd = tl.split(tl.reshape(tile, (128, 2, 2)))
        first, third = tl.split(even)
        second, fourth = tl.split(odd)
        mean, squares = _welford_step(first, mean, squares, 1.0 / (start // 128 + 1))
        mean, squares = _welford_step(second, mean, squares, 1.0 / (start // 128 + 2))
        mean, squares = _welford_step(third, mean, squares, 1.0 / (start // 128 + 3))
        mean, squares = _welford_step(fourth, mean, squares, 1.0 / (start // 128 + 4))
    count = tl.full((128,), dim // 128, tl.float32)
    mean, squares, count = tl.reduce((mean, squares, count), 0, _welford_join)
    return mean, tl.rsqrt(tl.div_rn(squares, dim * 1.0) + 1e-6)


@triton.jit
def _norm_modulate(source, out, scale1, shift, lanes, quad, dim: tl.constexpr):
    mean, scale = _moments(source, lanes, quad, dim)
    for start in tl.static_range(0, dim, 512):
        at = start + lanes[:, None] * 4 + quad[None, :]
        value = tl.load(source + at).to(tl.float32)
        normed = (scale * (value - mean)).to(tl.bfloat16).to(tl.float32)
        tl.store(out + at, _modulated(normed, scale1 + at, shift + at, at < dim))


@triton.jit(do_not_specialize=["boundary"])
def norm_modulate_kernel(x, scale1, shift, out, boundary, dim: tl.constexpr):
    row = tl.program_id(0)
    base = row.to(tl.int64) * dim
    which = tl.where(row < boundary, 0, dim)
    lanes, quad = tl.arange(0, 128), tl.arange(0, 4)
    _norm_modulate(x + base, out + base, scale1 + which, shift + which, lanes, quad, dim)


@triton.jit(do_not_specialize=["boundary"])
def gate_add_norm_modulate_kernel(residual, x, gate, total, scale1, shift, out, boundary, dim: tl.constexpr):
    row = tl.program_id(0)
    base = row.to(tl.int64) * dim
    which = tl.where(row < boundary, 0, dim)
    lanes, quad = tl.arange(0, 128), tl.arange(0, 4)
    for start in tl.static_range(0, dim, 512):
        at = start + lanes[:, None] * 4 + quad[None, :]
        tl.store(total + base + at, _gated(residual + base + at, x + base + at, gate + which + at, at < dim))
    # Every thread has written what the others are about to read.
    tl.debug_barrier()
    _norm_modulate(total + base, out + base, scale1 + which, shift + which, lanes, quad, dim)


@triton.jit
def _mean_of_squares(even, odd, count: tl.constexpr):
    # PyTorch's order over 128 contiguous floats: 32 lanes of four neighbours each, then the lanes join by halves. A
    # thread holds two of those lanes, and Triton joins threads of one warp by halves, too.
    a, c = tl.split(tl.reshape(even, (count, 32, 2)))
    b, d = tl.split(tl.reshape(odd, (count, 32, 2)))
    total = ((a * a + b * b) + c * c) + d * d
    x, y = tl.split(tl.reshape(total, (count, 16, 2)))
    return (tl.sum(x, 1) + tl.sum(y, 1)) * (1.0 / 128.0)


@triton.jit
def _normed(x, scale, weight):
    return ((x * scale).to(tl.bfloat16).to(tl.float32) * weight).to(tl.bfloat16).to(tl.float32)


@triton.jit
def rotate_kernel(joint, rotation, query_weight, key_weight, eps, heads: tl.constexpr, group: tl.constexpr):
    # In place: RMS norm and rotation of the queries and keys of joint (tokens, 3, heads, 128). The two columns of a
    # pair are rotated into each other.
    token = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    columns, pairs = tl.arange(0, 128), tl.arange(0, 64)
    cosine = tl.load(rotation + token * 128 + 2 * pairs)[None, :]
    sine = tl.load(rotation + token * 128 + 2 * pairs + 1)[None, :]
    weights = query_weight if part == 0 else key_weight
    even_weight = tl.load(weights + 2 * pairs)[None, :].to(tl.float32)
    odd_weight = tl.load(weights + 2 * pairs + 1)[None, :].to(tl.float32)
    source = joint + (token * 3 + part) * heads * 128
    for start in range(0, heads, group):
        rows = start + tl.arange(0, group)
        at = source + rows[:, None] * 128 + columns[None, :]
        mask = (rows < heads)[:, None]
        x = tl.load(at, mask=mask, other=0.0).to(tl.float32)
        even, odd = tl.split(tl.reshape(x, (group, 64, 2)))
        scale = tl.rsqrt(_mean_of_squares(even, odd, group) + eps)[:, None]
        a, b = _normed(even, scale, even_weight), _normed(odd, scale, odd_weight)
        real = tl.fma(a, cosine, -(b * sine)).to(tl.bfloat16)
        imaginary = tl.fma(a, sine, b * cosine).to(tl.bfloat16)
        tl.store(at, tl.reshape(tl.join(real, imaginary), (group, 128)), mask=mask)


@triton.jit
def unpack_kernel(low, codes, head, out, half, block: tl.constexpr):
    # One code byte holds the exponents of weights j and j + half. Triton must know that half is a multiple of 16, or it
    # reads and writes weight by weight in twice the time.
    at = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = at < half
    base = tl.load(head)
    code = tl.load(codes + at, mask=inside, other=0).to(tl.int32)
    for part in tl.static_range(2):
        c = (code >> (4 * part)) & 15
        exponent = tl.where(c == 0, 0, base + c)
        b = tl.load(low + at + part * half, mask=inside, other=0).to(tl.int32)
        bits = ((b & 0x80) << 8) | (exponent << 7) | (b & 0x7F)
        tl.store(out + at + part * half, bits.to(tl.int16), mask=inside)


@triton.jit(do_not_specialize=["room"])
def patch_kernel(head, listed, out, room, block: tl.constexpr):
    # The few weights whose exponents have no code of their own.
    at = tl.program_id(0) * block + tl.arange(0, block)
    inside = at < tl.minimum(tl.load(head + 1), room)
    place = tl.load(listed + 2 * at, mask=inside, other=0)
    exponent = tl.load(listed + 2 * at + 1, mask=inside, other=0)
    bits = tl.load(out + place, mask=inside, other=0).to(tl.int32)
    tl.store(out + place, ((bits & 0x807F) | (exponent << 7)).to(tl.int16), mask=inside)


@triton.jit(do_not_specialize=["room"])
def pack_kernel(weights, low, codes, head, listed, half, room, block: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = at < half
    base = tl.load(head)
    packed = tl.zeros((block,), tl.int32)
    for part in tl.static_range(2):
        place = at + part * half
        bits = tl.load(weights + place, mask=inside, other=0).to(tl.int32)
        exponent = (bits >> 7) & 0xFF
        code = exponent - base
        known = (code >= 1) & (code <= 14)
        escaped = inside & (exponent != 0) & (known == 0)
        code = tl.where(exponent == 0, 0, tl.where(known, code, 15))
        packed = packed | (code << (4 * part))
        tl.store(low + place, (((bits >> 8) & 0x80) | (bits & 0x7F)).to(tl.uint8), mask=inside)
        slot = tl.atomic_add(head + 1 + tl.zeros((block,), tl.int32), 1, mask=escaped, sem="relaxed")
        fits = escaped & (slot < room)
        tl.store(listed + 2 * slot, place.to(tl.int32), mask=fits)
        tl.store(listed + 2 * slot + 1, exponent, mask=fits)
    tl.store(codes + at, packed.to(tl.uint8), mask=inside)

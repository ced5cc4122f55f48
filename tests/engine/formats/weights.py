"""Weights to store, and their parts in every format."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.engine.formats.kquants import ENCODERS
from undercard.engine.formats import Format, Shape, format_named
from undercard.engine.formats.gguf import Ggml
from undercard.engine.formats.svdq import SvdqInt4


def gaussian(shape: Shape, seed: int = 1) -> Tensor:
    """Return weights as spread out as those of a trained layer, bfloat16."""
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return noise.div_(math.sqrt(shape[1])).bfloat16()


def parts_of(weight: Tensor, name: str) -> dict[str, Tensor]:
    """Return the parts of *weight* in the format called *name*, also where the library itself only reads it."""
    each = format_named(name)
    if name in ENCODERS:
        return {"blocks": torch.from_numpy(ENCODERS[name](weight.float().numpy()))}
    if isinstance(each, SvdqInt4):
        return factored(weight, each)
    return each.encode(weight)


def any_blocks(shape: Shape, each: Ggml) -> dict[str, Tensor]:
    """Return blocks of random bytes, with scales of either sign that are finite and small.

    Encoders leave some codes and scales unused: the least code of Q4_0, scales of Q3_K and Q6_K below zero.
    """
    blocks = math.prod(shape) // each.block_weights
    generator = torch.Generator().manual_seed(7)
    raw = torch.randint(0, 256, (blocks, each.block_bytes), dtype=torch.uint8, generator=generator)
    halves = torch.rand(blocks, 2, generator=generator).sub_(0.5).div_(25).half().view(torch.uint8)
    if each.type_name in {"Q3_K", "Q6_K"}:
        raw[:, -2:] = halves[:, :2]
    elif each.type_name == "Q2_K":
        raw[:, -4:] = halves
    elif each.type_name.endswith(("_1", "_K")):
        raw[:, :4] = halves
    else:
        raw[:, :2] = halves[:, :2]
    return {"blocks": raw.view(shape[0], -1)}


def factored(weight: Tensor, each: SvdqInt4) -> dict[str, Tensor]:
    """Return parts of *weight* in SVDQuant's manner: uneven smoothing, and what four bits lose in the low rank."""
    rows, columns = weight.shape
    generator = torch.Generator().manual_seed(5)
    smooth = torch.rand(columns, generator=generator) + 0.5
    down = torch.randn(each.rank, columns, generator=generator).bfloat16()
    up = (torch.randn(rows, each.rank, generator=generator) * 0.1 / (each.rank * columns) ** 0.5).bfloat16()
    rest = ((weight.float() - up.float() @ down.float()) * smooth).view(rows, -1, 64)
    scale = (rest.abs().amax(dim=2) / 7).bfloat16()
    codes = (rest / scale.float()[:, :, None]).round().clamp(-8, 7).to(torch.uint8).view(rows, columns) & 15
    packed = codes[:, 0::2] | codes[:, 1::2] << 4
    return {"codes": packed, "scale": scale, "unsmooth": smooth.reciprocal(), "down": down, "up": up}


def decoded(each: Format, parts: dict[str, Tensor], shape: Shape) -> Tensor:
    out = torch.full(shape, torch.nan, dtype=torch.bfloat16, device=next(iter(parts.values())).device)
    each.decode(parts, out)
    return out


def relative_error(found: Tensor, wanted: Tensor) -> float:
    """Return |found − wanted| / |wanted|, Euclidean."""
    return float((found.double() - wanted.double()).norm() / wanted.double().norm())

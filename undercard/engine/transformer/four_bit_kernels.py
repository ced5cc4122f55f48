"""comfy-kitchen's kernels for a device, tried and timed before they are trusted.

No card with int4 in its tensor cores was at hand when this was written, and nobody tells which driver, package and card
go together: so a layer of noise is computed, and a layer of true width timed, when a model opens.
"""

from __future__ import annotations

import importlib
import importlib.util
import math

import torch
from torch import Tensor

from undercard.engine.formats._nunchaku import GELU_SHIFT
from undercard.engine.formats.svdq import GROUP, dequantized
from undercard.engine.transformer.four_bits import FourBit, Kernels
from undercard.engine.weights.blocks import Dense, Linear

PACKAGE = "comfy_kitchen"
PROBE_ROWS, PROBE_COLUMNS, PROBE_TOKENS = 128, 256, 32
PROBE_ERROR = 0.2
"""Activations of four bits are about 0.08 from those in full on noise; a kernel that reads another layout is past 1."""
TIMED_TOKENS, TIMED_WIDTH, TIMED_ROUNDS = 4096, 3072, 3
SLOWEST = 1.5
"""Times as long as a product in bf16, from which on decoding is faster: where tensor cores lack int4 it is emulated, at
10 to 17 times on an H100."""


class KernelsMissing(Exception):
    """Why the kernels cannot be used on a device, in words."""


def kernels_on(device: torch.device, rank: int) -> Kernels:
    """Return the kernels for *device*, tried on a layer of noise of that *rank* there.

    Raises:
        KernelsMissing: the package is not installed or has none for the device, they give something else, or they are
            slower than bf16.
        torch.OutOfMemoryError: the card has no room for two layers.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise KernelsMissing("comfy-kitchen is not installed")
    kitchen = importlib.import_module(PACKAGE)
    backend = "cuda" if device.type == "cuda" else "eager"
    try:
        quantise, multiply = (
            kitchen.registry.get_implementation(name, backend=backend)
            for name in ("quantize_svdquant_w4a4", "scaled_mm_svdquant_w4a4")
        )
        kernels = Kernels(quantise, multiply, torch.bfloat16 if backend == "cuda" else torch.float32)
        error = max(_probe(kernels, device, rank, after_gelu=after_gelu) for after_gelu in (False, True))
    except (torch.OutOfMemoryError, torch.AcceleratorError):
        raise
    except Exception as exc:  # its own errors, CUDA's and the loader's have no common ancestor
        raise KernelsMissing(f"comfy-kitchen does not compute here: {exc}") from exc
    if not error < PROBE_ERROR:
        raise KernelsMissing(f"comfy-kitchen's kernels are {error:.0%} from the right answer here")
    if device.type == "cuda" and (times := _times_as_long(kernels, device, rank)) > SLOWEST:
        raise KernelsMissing(f"comfy-kitchen's kernels take {times:.1f} times as long as bf16 here")
    return kernels


def _times_as_long(kernels: Kernels, device: torch.device, rank: int) -> float:
    """Return how many times as long a layer takes in four bits as in bf16, on a card."""
    x, weight, bias = (
        torch.zeros(shape, dtype=torch.bfloat16, device=device)
        for shape in ((TIMED_TOKENS, TIMED_WIDTH), (TIMED_WIDTH, TIMED_WIDTH), (TIMED_WIDTH,))
    )
    layer = FourBit(
        kernels,
        codes=torch.zeros((TIMED_WIDTH, TIMED_WIDTH // 2), dtype=torch.int8, device=device),
        scales=torch.ones((TIMED_WIDTH // GROUP, TIMED_WIDTH), dtype=torch.bfloat16, device=device),
        smooth=torch.ones_like(bias),
        down=weight[:, :rank].contiguous(),
        up=weight[:, :rank].contiguous(),
        bias=bias,
        after_gelu=False,
    )
    in_four_bits, dense = (_milliseconds(linear, x) for linear in (layer, Dense(weight, bias)))
    return float(in_four_bits / dense)


def _milliseconds(linear: Linear, x: Tensor) -> float:
    """Return the least that a call of *linear* takes on the card of *x*, warm."""
    times: list[float] = []
    with torch.cuda.device(x.device):
        for _ in range(1 + TIMED_ROUNDS):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            linear(x)
            end.record()
            end.synchronize()
            times.append(start.elapsed_time(end))
    return min(times[1:])


def _probe(kernels: Kernels, device: torch.device, rank: int, *, after_gelu: bool) -> float:
    """Return how far a layer of noise is from what its weights say, relative, in L2."""
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device, torch.bfloat16)

    codes = torch.randint(0, 256, (PROBE_ROWS, PROBE_COLUMNS // 2), dtype=torch.uint8, generator=generator).to(device)
    scale, smooth = noise(PROBE_ROWS, PROBE_COLUMNS // GROUP).abs(), noise(PROBE_COLUMNS).abs() + 0.5
    down, up, bias = noise(PROBE_COLUMNS, rank), noise(PROBE_ROWS, rank) / math.sqrt(rank), noise(PROBE_ROWS)
    x = noise(PROBE_TOKENS, PROBE_COLUMNS)
    x = x.abs() - GELU_SHIFT if after_gelu else x
    layer = FourBit(
        kernels, codes.view(torch.int8), scale.t().contiguous(), smooth, down, up, bias, after_gelu=after_gelu
    )
    weight = dequantized(codes, scale)
    main = (x.float() + (GELU_SHIFT if after_gelu else 0.0)) / smooth.float()
    right = main @ weight.t() + x.float() @ down.float() @ up.float().t() + bias.float()
    return float((layer(x).float() - right).norm() / right.norm())

"""Linear layers whose weights and activations are both in four bits, by the kernels of comfy-kitchen.

A layer of SVDQuant computes Q(x / smooth) · Wqᵀ + (x · down) · upᵀ + bias. comfy-kitchen (Apache-2.0) multiplies the
two sets of codes in the tensor cores of cards that have int4 there; its `eager` backend computes the same anywhere.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from undercard.engine.blocks import Dense, Layout, Linear
from undercard.engine.formats._nunchaku import GELU_SHIFT, natural
from undercard.engine.formats.svdq import GROUP, dequantized

PACKAGE = "comfy_kitchen"
PARTS = ("codes", "scales", "smooth", "down", "up", "bias")
"""Of a layer, as `FourBit` has them."""
PROBE_ROWS, PROBE_COLUMNS, PROBE_TOKENS = 128, 256, 32
PROBE_ERROR = 0.2
"""Activations of four bits are about 0.08 from those in full on noise; a kernel that reads another layout is past 1."""
TIMED_TOKENS, TIMED_WIDTH, TIMED_ROUNDS = 4096, 3072, 3
SLOWEST = 1.5
"""Times as long as a product in bf16, from which on decoding is faster: where tensor cores lack int4 it is emulated, at
10 to 17 times on an H100."""


class KernelsMissing(Exception):
    """Why the kernels cannot be used on a device, in words."""


@dataclass(frozen=True, slots=True)
class Kernels:
    """comfy-kitchen's two functions for a device."""

    quantise: Any
    """quantize_svdquant_w4a4: x (M, K), smooth (K), down (K, R) → codes, scales, x · down, all of M rounded up."""
    multiply: Any
    """scaled_mm_svdquant_w4a4: those, the weights, up (N, R), bias (N) → (M rounded up, N)."""
    dtype: torch.dtype
    """What they are given. In bfloat16 the eager one rounds codes astray: 3.3 % from nunchaku's kernels, 1.1 % so."""


@dataclass(frozen=True, slots=True)
class FourBit:
    """One linear layer, or the rows of several that share what they do to their input."""

    kernels: Kernels
    codes: Tensor
    """int8 (N, K/2), the even column in the low nibble."""
    scales: Tensor
    """(K/64, N)."""
    smooth: Tensor
    """(K)."""
    down: Tensor
    """(K, R)."""
    up: Tensor
    """(N, R)."""
    bias: Tensor
    """(N)."""
    after_gelu: bool
    """The input is a GELU's, quantised without a sign; the bias makes up for the shift."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return (…, N) for *x*, (…, K), in the type of *x*."""
        flat = x.reshape(-1, x.shape[-1]).to(self.kernels.dtype).contiguous()
        dtype = self.kernels.dtype
        codes, scales, low = self.kernels.quantise(
            x=flat + GELU_SHIFT if self.after_gelu else flat,
            smooth=self.smooth.to(dtype),
            lora_down=self.down.to(dtype),
            act_unsigned=self.after_gelu,
            lora_x=flat if self.after_gelu else None,
        )
        product: Tensor = self.kernels.multiply(
            act=codes,
            wgt=self.codes,
            ascales=scales,
            wscales=self.scales.to(dtype),
            lora_act_in=low,
            lora_up=self.up.to(dtype),
            bias=self.bias.to(dtype),
            act_unsigned=self.after_gelu,
        )
        return product[: len(flat)].view(*x.shape[:-1], -1).to(x.dtype)

    def into(self, x: Tensor, out: Tensor) -> None:
        """Fill *out*."""
        out.copy_(self(x))

    def rows(self, start: int, stop: int) -> FourBit:
        """Return the layer that gives outputs *start* to *stop* alone."""
        return FourBit(
            self.kernels,
            self.codes[start:stop],
            self.scales[:, start:stop].contiguous(),
            self.smooth,
            self.down,
            self.up[start:stop],
            self.bias[start:stop],
            self.after_gelu,
        )


def parts_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return one layer of nunchaku's file as `FourBit` has it.

    Raises:
        BadCheckpoint: as `natural`.
    """
    found = natural(tensors)
    return {
        "codes": found["codes"].view(torch.int8),
        "scales": found["scale"].t().contiguous(),
        "smooth": found["smooth"],
        "down": found["down"].t().contiguous(),
        "up": found["up"],
        "bias": found["bias"],
    }


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
    except torch.OutOfMemoryError:
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


class FourBitModule(nn.Module):
    """A `FourBit` where diffusers' own code looks for an `nn.Linear`."""

    def __init__(self, linear: Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        """Compute."""
        return self.linear(x)


@dataclass(frozen=True)
class FourBitLayout(Layout):
    """The layers of a block in four bits in a flat buffer, each part by part, and its vectors in bfloat16.

    What it calls places are those of the parts: `attn.to_qkv.codes`.
    """

    kernels: Kernels
    thirds: Mapping[str, tuple[str, int, int]]
    """diffusers' name of a layer → the file's, and the number of its rows there among how many."""
    types: Mapping[str, torch.dtype]
    """Of every place."""
    after_gelu: frozenset[str]
    """Layers whose input is a GELU's."""

    def view(self, buffer: Tensor, *names: str) -> Tensor:
        """Return one place of *buffer*."""
        (name,) = names
        place = self.by_name[name]
        return buffer[place.offset :][: place.size_bytes].view(self.types[name]).view(place.shape)

    def linear(self, buffer: Tensor, *layers: str) -> Linear:
        """Return one layer, or all that lie in one of the file's."""
        name, number, of = self.thirds[layers[0]]
        parts = {part: self.view(buffer, f"{name}.{part}") for part in PARTS}
        whole = FourBit(self.kernels, **parts, after_gelu=name in self.after_gelu)
        if len(layers) == of:
            return whole
        rows = len(whole.bias) // of
        return whole.rows(number * rows, (number + 1) * rows)

    def attach(self, module: nn.Module, buffer: Tensor) -> None:
        """Make the layers and the vectors of *module* those of *buffer*."""
        for layer in self.thirds:
            owner, _, leaf = layer.rpartition(".")
            setattr(module.get_submodule(owner), leaf, FourBitModule(self.linear(buffer, layer)))
        for place in self.places:
            owner, _, leaf = place.name.rpartition(".")
            if leaf == "weight":
                setattr(
                    module.get_submodule(owner), leaf, nn.Parameter(self.view(buffer, place.name), requires_grad=False)
                )

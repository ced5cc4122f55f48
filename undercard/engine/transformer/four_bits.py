"""Linear layers whose weights and activations are both in four bits, by the kernels of comfy-kitchen.

A layer of SVDQuant computes Q(x / smooth) · Wqᵀ + (x · down) · upᵀ + bias. comfy-kitchen (Apache-2.0) multiplies the
two sets of codes in the tensor cores of cards that have int4 there; its `eager` backend computes the same anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from undercard.engine.formats._nunchaku import GELU_SHIFT, natural
from undercard.engine.weights.blocks import Layout, Linear

PARTS = ("codes", "scales", "smooth", "down", "up", "bias")
"""Of a layer, as `FourBit` has them."""


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

    # The kernels keep workspaces: one made in inference mode may not be written to outside of it.
    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        """Return (…, N) for *x*, (…, K), in the type of *x*."""
        flat = x.reshape(-1, x.shape[-1])
        dtype = self.kernels.dtype
        codes, scales, low = self.quantised(flat)
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

    @torch.inference_mode()
    def quantised(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the codes and the scales of *x*, (M, K), and x · down, as the kernels have them.

        They may lie in the workspace of the current stream, which the next call there overwrites.
        """
        dtype = self.kernels.dtype
        x = x.to(dtype).contiguous()
        codes, scales, low = self.kernels.quantise(
            x=x + GELU_SHIFT if self.after_gelu else x,
            smooth=self.smooth.to(dtype),
            lora_down=self.down.to(dtype),
            act_unsigned=self.after_gelu,
            lora_x=x if self.after_gelu else None,
        )
        return codes, scales, low

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

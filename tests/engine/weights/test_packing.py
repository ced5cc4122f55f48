from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from undercard.engine.weights import packing


def _packed(weights: Tensor) -> tuple[int, Tensor]:
    kept = torch.full((packing.capacity(weights.numel()),), 0xAB, dtype=torch.uint8)
    return int(packing.pack(weights, kept)), kept


def _gaussian(count: int, scale: float = 0.02) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return (torch.randn(count, generator=generator) * scale).to(torch.bfloat16).view(torch.int16)


def test_gaussian_weights_come_back_bit_for_bit_from_three_quarters_of_the_bytes() -> None:
    weights = _gaussian(1 << 16)

    used, kept = _packed(weights)

    back = torch.empty_like(weights)
    packing.unpack(kept[:used], back)
    assert torch.equal(back, weights)
    assert used < 0.76 * 2 * weights.numel()
    assert used <= packing.typical(weights.numel()) * 1.01


@given(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=16, max_size=16), st.integers(0, 2**31))
def test_any_bits_among_ordinary_weights_come_back(oddities: list[int], seed: int) -> None:
    weights = _gaussian(4096)
    places = torch.randperm(4096, generator=torch.Generator().manual_seed(seed))[:16]
    weights[places] = torch.tensor(oddities, dtype=torch.int16)

    used, kept = _packed(weights)

    assert used > 0
    back = torch.empty_like(weights)
    packing.unpack(kept[:used], back)
    assert torch.equal(back, weights)


def test_a_tensor_of_zeros_needs_no_escapes() -> None:
    weights = torch.zeros(4096, dtype=torch.int16)
    weights[::2] = _gaussian(2048)

    used, kept = _packed(weights)

    assert int(kept[4:8].view(torch.int32)) == 0
    back = torch.empty_like(weights)
    packing.unpack(kept[:used], back)
    assert torch.equal(back, weights)


def test_weights_of_all_magnitudes_are_refused_rather_than_altered() -> None:
    weights = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)

    used, _ = _packed(weights)

    assert used == 0


def test_a_number_of_weights_that_does_not_fill_the_planes_is_an_error() -> None:
    with pytest.raises(ValueError, match="17 weights cannot be packed"):
        packing.pack(torch.zeros(17, dtype=torch.int16), torch.zeros(1000, dtype=torch.uint8))

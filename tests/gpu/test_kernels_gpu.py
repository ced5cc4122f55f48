"""The fused kernels against the chains of PyTorch kernels that they replace, bit for bit, at the model's true width."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.normalization import RMSNorm
from diffusers.models.transformers import transformer_qwenimage as published
from torch import Tensor
from torch.nn import functional

from undercard.engine.kernels import launch
from undercard.engine.transformer import fused
from undercard.engine.transformer.transformer import MODULATION
from undercard.engine.weights import packing
from undercard.engine.weights.blocks import layout_of

pytestmark = pytest.mark.gpu

WIDTH, HEADS, HEAD = 3072, 24, 128


def noise(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator("cuda").manual_seed(seed)
    return torch.randn(*shape, generator=generator, device="cuda").to(torch.bfloat16)


def by_token(rows: Tensor, tokens: int, boundary: int) -> Tensor:
    """Give each token its row of a modulation, as diffusers' `_modulate` does."""
    which = (torch.arange(tokens, device="cuda") >= boundary)[:, None]
    return torch.where(which, rows[-1:], rows[:1])


@pytest.mark.parametrize(("tokens", "boundary"), [(8192, 4096), (350, 350), (1, 1), (1000, 37)])
def test_norms_modulations_and_gates_have_pytorchs_bits(tokens: int, boundary: int) -> None:
    x, residual = noise(tokens, WIDTH), noise(tokens, WIDTH, seed=1)
    scale, shift, gate = (noise(2, WIDTH, seed=seed) for seed in (2, 3, 4))
    scales, shifts, gates = (by_token(rows, tokens, boundary) for rows in (scale, shift, gate))

    normed = launch.norm_modulate(x, 1 + scale, shift, boundary)
    total, both = launch.gate_add_norm_modulate(residual, x, gate, 1 + scale, shift, boundary)

    def modulated(value: Tensor) -> Tensor:
        return functional.layer_norm(value, (WIDTH,), eps=1e-6) * (1 + scales) + shifts

    assert torch.equal(normed, modulated(x))
    assert torch.equal(total, residual + gates * x)
    assert torch.equal(both, modulated(residual + gates * x))
    assert torch.equal(launch.gate_add(residual, x, gate, boundary), residual + gates * x)


@pytest.mark.parametrize("tokens", [8192, 350, 3])
def test_normed_and_rotated_queries_and_keys_have_diffusers_bits(tokens: int) -> None:
    joint = noise(tokens, 3, HEADS, HEAD)
    angles = torch.rand(tokens, HEAD // 2, device="cuda") * 500
    turns = torch.polar(torch.ones_like(angles), angles)
    weights = [noise(HEAD, seed=seed) for seed in (1, 2)]
    expected = joint.clone()
    for part, weight in enumerate(weights):
        norm = RMSNorm(HEAD, eps=1e-6).to("cuda", torch.bfloat16)
        norm.weight.data.copy_(weight)
        normed = norm(joint[None, :, part])
        expected[:, part] = published.apply_rotary_emb_qwen(normed, turns, use_real=False)[0]

    launch.norm_and_rotate(joint, torch.view_as_real(turns), *weights)

    assert torch.equal(joint, expected)


@pytest.mark.parametrize("zero_cond_t", [True, False])
def test_a_fused_block_has_the_bits_of_diffusers_own(zero_cond_t: bool) -> None:
    block = published.QwenImageTransformerBlock(WIDTH, HEADS, HEAD, zero_cond_t=zero_cond_t).to("cuda", torch.bfloat16)
    for seed, parameter in enumerate(block.parameters()):
        parameter.data.copy_(
            noise(*parameter.shape, seed=seed) * 0.02 + (parameter.dim() == 1 and len(parameter) == HEAD)
        )
    layout = layout_of(block, together=fused.TOGETHER, without=MODULATION)
    buffer = torch.empty(layout.size_bytes, dtype=torch.uint8, device="cuda")
    for place in layout.places:
        layout.view(buffer, place.name).copy_(block.get_parameter(place.name))
    side, words = 32, 350
    picture, text = noise(1, 2 * side * side, WIDTH), noise(1, words, WIDTH, seed=1)
    embedding = noise(2 if zero_cond_t else 1, WIDTH, seed=2)
    turns = published.QwenEmbedRope(10000, [16, 56, 56], scale_rope=True)(
        [[(1, side, side)] * 2], device=picture.device, max_txt_seq_len=words
    )
    index = torch.tensor([[0] * side**2 + [1] * side**2], device="cuda", dtype=torch.int) if zero_cond_t else None

    with torch.inference_mode():
        expected_text, expected = block(picture, text, None, embedding, turns, None, index)
        tables = fused.prepared(block.img_mod(embedding)), fused.prepared(block.txt_mod(embedding[:1]))
        boundary = side**2 if zero_cond_t else 2 * side**2
        modulation = fused.rows(tables[0], boundary), fused.rows(tables[1], words)
        rotations = torch.view_as_real(turns[0]).contiguous(), torch.view_as_real(turns[1]).contiguous()
        streams = fused.entering(picture[0], modulation[0]), fused.entering(text[0], modulation[1])
        given = fused.parameters(layout, buffer), *streams, rotations, modulation, torch.cuda.Stream()
        answer, answer_text = fused.forward(*given, following=modulation)
        last, _ = fused.forward(*given, asked=side**2)
        again = fused.entering(expected[0], modulation[0]), fused.entering(expected_text[0], modulation[1])
        torch.cuda.synchronize()

    assert torch.equal(answer.x, expected[0])
    assert torch.equal(answer_text.x, expected_text[0])
    assert torch.equal(answer.normed, again[0].normed)
    assert torch.equal(answer_text.normed, again[1].normed)
    assert torch.equal(last.x, expected[0, : side**2])


@pytest.mark.parametrize("count", [1 << 20, 3072 * 12288])
def test_weights_packed_on_the_card_come_back_bit_for_bit(count: int) -> None:
    weights = (noise(count) * 0.02).view(torch.int16)
    weights[:: count // 50] = torch.arange(-25, 26, device="cuda", dtype=torch.int16)[: len(weights[:: count // 50])]
    kept = torch.full((packing.capacity(count),), 0xAB, dtype=torch.uint8, device="cuda")

    used = int(packing.pack(weights, kept))

    back = torch.empty_like(weights)
    packing.unpack(kept[:used], back)
    assert 0 < used < 0.76 * 2 * count
    assert torch.equal(back, weights)
    assert torch.equal(_on_the_processor(kept[:used], count), weights.cpu())


def _on_the_processor(kept: Tensor, count: int) -> Tensor:
    back = torch.empty(count, dtype=torch.int16)
    packing.unpack(kept.cpu(), back)
    return back

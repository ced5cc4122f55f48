"""Layers in four bits: the parts of a block, and kernels that are tried before they are trusted."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.engine.formats.weights import relative_error
from tests.fakes import stored_files
from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.files.nunchaku_file import open_nunchaku
from undercard.engine.formats import _nunchaku
from undercard.engine.formats.svdq import dequantized
from undercard.engine.streaming.sources import InMemory
from undercard.engine.streaming.streamer import HostStreamer
from undercard.engine.transformer import four_bit_kernels, stored_blocks, transformer
from undercard.engine.transformer.four_bit_blocks import FourBitBlocks, four_bit_blocks
from undercard.engine.transformer.four_bit_kernels import KernelsMissing, kernels_on
from undercard.engine.transformer.four_bits import FourBit, Kernels
from undercard.engine.weights.loading import load_as_it_lies

CPU = torch.device("cpu")
WIDTH = 128


@pytest.fixture(scope="module")
def kernels() -> Kernels:
    return kernels_on(CPU, 16)


@pytest.fixture(scope="module")
def blocks(kernels: Kernels) -> FourBitBlocks:
    return four_bit_blocks(open_nunchaku(open_checkpoint(stored_files.NUNCHAKU)), 2, kernels)


@pytest.fixture(scope="module")
def buffers(blocks: FourBitBlocks) -> list[Tensor]:
    return [kept.tensor for kept in load_as_it_lies(blocks, CPU)]


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


def test_a_block_takes_four_bits_a_weight_and_what_goes_with_them(blocks: FourBitBlocks) -> None:
    # Half a byte, a scale for 64, a rank of 16 at a width of 128, which is much beside so few weights.
    weights = 24 * WIDTH**2
    low_rank = 2 * 16 * sum(WIDTH * (1 + outputs) for outputs in (3, 1, 4)) * 2 + 2 * 2 * 16 * 5 * WIDTH

    assert blocks.layout.size_bytes == pytest.approx(weights / 2 + weights / 64 * 2 + low_rank, rel=0.1)


def test_three_projections_together_answer_as_each_alone(blocks: FourBitBlocks, buffers: list[Tensor]) -> None:
    x = _noise(5, WIDTH)

    together = blocks.layout.linear(buffers[1], "attn.to_q", "attn.to_k", "attn.to_v")(x)

    alone = [blocks.layout.linear(buffers[1], f"attn.to_{third}")(x) for third in "qkv"]
    assert torch.equal(together, torch.cat(alone, dim=1))


def test_a_layer_writes_into_a_part_of_a_larger_tensor(blocks: FourBitBlocks, buffers: list[Tensor]) -> None:
    x, out = _noise(5, WIDTH), torch.zeros(9, WIDTH, dtype=torch.bfloat16)
    layer = blocks.layout.linear(buffers[0], "attn.to_out.0")

    layer.into(x, out[2:7])

    assert torch.equal(out[2:7], layer(x))
    assert not out[:2].any()


def test_a_workspace_that_kernels_made_while_rendering_serves_outside_of_it_too(
    blocks: FourBitBlocks, buffers: list[Tensor]
) -> None:
    layer = blocks.layout.linear(buffers[0], "attn.to_out.0")
    assert isinstance(layer, FourBit)
    kept: list[Tensor] = []

    def multiply(**given: Any) -> Tensor:
        product = layer.kernels.multiply(**given)
        if not kept:
            kept.append(torch.empty_like(product))
        return kept[0].copy_(product)

    keeping = replace(layer, kernels=replace(layer.kernels, multiply=multiply))
    x = _noise(5, WIDTH)

    with torch.inference_mode():
        first = keeping(x).clone()

    assert torch.equal(keeping(x), first)


def test_a_layer_after_gelu_is_shifted_and_its_bias_makes_up_for_it(
    blocks: FourBitBlocks, buffers: list[Tensor]
) -> None:
    x = nn.functional.gelu(_noise(64, 4 * WIDTH))
    layer = blocks.layout.linear(buffers[0], "img_mlp.net.2")
    file = blocks.file
    decoded = _nunchaku.linear(file.tensors("transformer_blocks.0.img_mlp.net.2"), after_gelu=True)
    weight = dequantized(decoded.parts["codes"], decoded.parts["scale"]) * decoded.parts["unsmooth"]
    weight += decoded.parts["up"].float() @ decoded.parts["down"].float()

    expected = x.float() @ weight.t() + decoded.bias.float()

    assert isinstance(layer, FourBit)
    assert relative_error(layer(x), expected) < 0.08
    assert relative_error(replace(layer, after_gelu=False)(x), expected) > 0.2


def test_diffusers_block_computes_with_the_layers_of_whichever_block_it_borrows(
    blocks: FourBitBlocks, tmp_path: Path
) -> None:
    stored_files.build(tmp_path, "svdq")
    block = transformer.skeleton(tmp_path).transformer_blocks[0]
    streamer = HostStreamer(blocks.layout, InMemory(load_as_it_lies(blocks, CPU)))
    answers = []

    for number in range(2):
        with streamer.using(number) as buffer:
            streamer.layout.attach(block, buffer)
            answers.append((block.attn.to_q(_noise(3, WIDTH)), block.attn.norm_q.weight.detach().clone()))

    expected = load_file(stored_files.NUNCHAKU)
    for number, (_, norm) in enumerate(answers):
        assert torch.equal(norm, expected[f"transformer_blocks.{number}.attn.norm_q.weight"])
    assert not torch.equal(answers[0][0], answers[1][0])


def test_the_layers_of_a_block_are_all_the_modules_that_diffusers_has(blocks: FourBitBlocks, tmp_path: Path) -> None:
    stored_files.build(tmp_path, "svdq")
    block = transformer.skeleton(tmp_path).transformer_blocks[0]
    linears = {name for name, module in block.named_modules() if isinstance(module, nn.Linear) and "_mod" not in name}

    assert set(blocks.layout.thirds) == linears


def test_a_tensor_of_another_shape_than_the_header_promises_is_named(blocks: FourBitBlocks) -> None:
    with pytest.raises(Exception, match=r"attn\.to_qkv\.bias is torch\.bfloat16 of \(5,\), not .* of \(384,\)"):
        blocks._put(torch.zeros(blocks.layout.size_bytes, dtype=torch.uint8), "attn.to_qkv.bias", _noise(5))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(four_bit_kernels, "PACKAGE", "comfy_kitchen_that_is_not_there")

    with pytest.raises(KernelsMissing, match="comfy-kitchen is not installed"):
        kernels_on(CPU, 16)


def test_a_device_without_kernels_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str, backend: str) -> object:
        raise LookupError(f"{backend} has no {name}")

    monkeypatch.setattr(importlib.import_module(four_bit_kernels.PACKAGE).registry, "get_implementation", none)

    with pytest.raises(KernelsMissing, match="comfy-kitchen does not compute here: eager has no quantize_svdquant"):
        kernels_on(CPU, 16)


def test_kernels_that_read_the_weights_otherwise_are_not_trusted(
    kernels: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped(**given: Any) -> Tensor:
        codes = given.pop("wgt")
        answer: Tensor = kernels.multiply(wgt=(codes << 4 | (codes >> 4 & 15)).contiguous(), **given)
        return answer

    found = {"quantize_svdquant_w4a4": kernels.quantise, "scaled_mm_svdquant_w4a4": swapped}
    monkeypatch.setattr(
        importlib.import_module(four_bit_kernels.PACKAGE).registry,
        "get_implementation",
        lambda name, backend: found[name],
    )

    with pytest.raises(KernelsMissing, match=r"kernels are \d+% from the right answer here"):
        kernels_on(CPU, 16)


@pytest.mark.parametrize("rank", [16, 48, 128])
def test_any_rank_is_tried_as_it_is(rank: int) -> None:
    assert kernels_on(CPU, rank).dtype == torch.float32


def test_blocks_are_those_that_were_proved_for_the_model(tmp_path: Path, kernels: Kernels) -> None:
    path = stored_files.build(tmp_path, "svdq")
    config = json.loads((tmp_path / "config.json").read_text())
    file = open_nunchaku(open_checkpoint(path))

    proved = stored_blocks.block_reader(transformer.skeleton(tmp_path), file)

    assert four_bit_blocks(file, proved.count, kernels).count == config["num_layers"]

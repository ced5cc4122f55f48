"""Weights decoded on a CUDA device have the bits that PyTorch gives on the CPU, but for the sums of a low rank."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor

from tests.engine.formats.weights import any_blocks, decoded, gaussian, parts_of
from undercard.engine import formats
from undercard.engine.formats import Shape, format_named
from undercard.engine.formats._device import kernels_for
from undercard.engine.formats.gguf import Ggml

pytestmark = pytest.mark.gpu

SHAPES = [(3072, 3072), (12288, 3072)]
"""Of Qwen-Image's attention and feed-forward layers."""
UNEVEN = (77, 1280)
"""Rows and columns that fill no tile of any kernel; blocks of 256 fill its rows."""
SUMMED = "svdq-"
"""What has a low-rank correction: its sums have an order of their own on tensor cores."""
OTHERWISE = 0.01
"""Share of such weights whose last bit may differ."""


@functools.lru_cache(maxsize=1)
def _weight(shape: Shape) -> Tensor:
    return gaussian(shape)


def _parts(name: str, shape: Shape) -> dict[str, Tensor]:
    """Return parts on the CPU, made without gguf-py, which takes long and may be missing where there is a card."""
    each = format_named(name)
    if isinstance(each, Ggml) and not each.plain:
        return any_blocks(shape, each)
    if isinstance(each, Ggml):
        floats = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
        return {"blocks": _weight(shape).to(floats[each.type_name]).view(torch.uint8)}
    return parts_of(_weight(shape), name)


def require_the_same(name: str, there: Tensor, here: Tensor) -> None:
    """Let every bit be the same, or in what is summed the last one differ here and there."""
    if not name.startswith(SUMMED):
        assert torch.equal(there, here)
        return
    assert float((there != here).float().mean()) < OTHERWISE
    torch.testing.assert_close(there, here, rtol=2**-7, atol=1e-5)


@pytest.mark.parametrize("shape", [*SHAPES, UNEVEN])
@pytest.mark.parametrize("name", formats.names())
def test_a_weight_decodes_to_the_same_bits_as_on_the_cpu(name: str, shape: Shape) -> None:
    parts = _parts(name, shape)
    here = decoded(format_named(name), parts, shape)
    there = decoded(format_named(name), {part: value.cuda() for part, value in parts.items()}, shape)
    require_the_same(name, there.cpu(), here)


@pytest.mark.parametrize("name", formats.names())
def test_without_triton_the_bits_are_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {part: value.cuda() for part, value in _parts(name, UNEVEN).items()}
    with_kernels = decoded(format_named(name), parts, UNEVEN)
    monkeypatch.setattr("undercard.engine.formats._device._kernels", lambda _device: None)
    require_the_same(name, decoded(format_named(name), parts, UNEVEN), with_kernels)


@pytest.mark.parametrize("name", ["bf16", "fp8", "int8", "nf4"])
def test_a_weight_encodes_to_the_same_bytes_as_on_the_cpu(name: str) -> None:
    weight = _weight((3072, 3072))
    here, there = format_named(name).encode(weight), format_named(name).encode(weight.cuda())
    for part, value in here.items():
        assert torch.equal(there[part].cpu().view(torch.uint8), value.view(torch.uint8)), part


@pytest.mark.parametrize("name", formats.names())
def test_decoding_takes_no_more_than_a_few_rows_of_memory(name: str) -> None:
    shape = SHAPES[0]
    parts = {part: value.cuda() for part, value in _parts(name, shape).items()}
    out = torch.empty(shape, dtype=torch.bfloat16, device="cuda")
    format_named(name).decode(parts, out)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    format_named(name).decode(parts, out)
    torch.cuda.synchronize()
    assert torch.cuda.max_memory_allocated() - before <= 16 * shape[1] * 4


def test_this_machine_decodes_by_kernels() -> None:
    assert kernels_for(torch.empty(1, device="cuda")) is not None


def test_decoding_can_be_captured_in_a_graph() -> None:
    shape, each = UNEVEN, format_named("nf4")
    parts = {part: value.cuda() for part, value in each.encode(_weight(shape)).items()}
    wanted = decoded(each, parts, shape)
    out = torch.zeros_like(wanted)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        each.decode(parts, out)
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(out, wanted)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs a second card")
def test_a_card_that_is_not_the_current_one_decodes_too() -> None:
    each = format_named("int8")
    parts = each.encode(_weight(UNEVEN))
    with torch.cuda.device(0):
        there = decoded(each, {part: value.to("cuda:1") for part, value in parts.items()}, UNEVEN)
    assert torch.equal(there.cpu(), decoded(each, parts, UNEVEN))

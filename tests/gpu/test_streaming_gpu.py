"""Streaming full-size blocks through a real card: always the bits that lie in host memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from safetensors.torch import save_file
from torch import Tensor, nn

from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.streaming.sources import InMemory, OnDisk, Source
from undercard.engine.streaming.streamer import CudaStreamer
from undercard.engine.transformer import transformer
from undercard.engine.weights.blocks import Layout, layout_of
from undercard.engine.weights.codecs import Plain, codec_named
from undercard.engine.weights.kept import Kept
from undercard.engine.weights.loading import BlockReader, load, reader_of
from undercard.engine.weights.pinned import PinnedBuffer
from undercard.errors import BadCheckpoint

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")
COUNT = 6
WIDTH = 3072
"""Of Qwen-Image's transformer."""


class Layer(nn.Module):
    """Two matrices and two vectors; a block of the model has ten times the bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(WIDTH, WIDTH, device="meta")
        self.down = nn.Linear(WIDTH, WIDTH, device="meta")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blocks") / "a.safetensors"
    generator = torch.Generator(CUDA).manual_seed(1)
    tensors: dict[str, Tensor] = {}
    for number in range(COUNT):
        for name, parameter in Layer().named_parameters():
            value = torch.randn(parameter.shape, generator=generator, device=CUDA) / WIDTH**0.5
            tensors[f"blocks.{number}.{name}"] = value.bfloat16().cpu()
    # No window of exponents holds these: the block has to be kept as it is.
    every = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    wild = every.repeat(WIDTH * WIDTH // len(every)).view(WIDTH, WIDTH)
    tensors["blocks.4.up.weight"] = tensors["blocks.4.down.weight"] = wild.nan_to_num(0.0)
    save_file({name: value.clone() for name, value in tensors.items()}, path)
    return path


@pytest.fixture(scope="module")
def reader(path: Path) -> BlockReader:
    return reader_of(open_checkpoint(path), "blocks.", COUNT, layout_of(Layer()))


@pytest.fixture(scope="module")
def wanted(reader: BlockReader) -> list[Tensor]:
    """Every block's flat buffer, on the card."""
    kept = load(reader, Plain(), torch.device("cpu"))
    return [block.tensor.to(CUDA) for block in kept]


def _same(layout: Layout, found: Tensor, wanted: Tensor) -> bool:
    """Compare the parameters alone: what lies between them may be anything."""
    pairs = ((layout.view(found, name), layout.view(wanted, name)) for name in layout.by_name)
    return all(torch.equal(one.view(torch.int16), other.view(torch.int16)) for one, other in pairs)


def _source(reader: BlockReader, kind: str) -> Source:
    if kind == "disk":
        return OnDisk(reader, CUDA)
    return InMemory(load(reader, codec_named(kind), CUDA))


@pytest.fixture(params=["bf16", "packed", "disk"])
def source(request: pytest.FixtureRequest, reader: BlockReader) -> Iterator[Source]:
    source = _source(reader, request.param)
    yield source
    source.close()


def _passes(streamer: CudaStreamer, wanted: list[Tensor], order: list[int]) -> None:
    """Use the blocks in *order*, keeping the card busy so that copies run into what computes."""
    copies: list[tuple[int, Tensor]] = []
    busy = torch.randn(2048, 2048, device=CUDA)
    for number in order:
        with streamer.using(number) as buffer:
            for _ in range(4):
                busy = (busy @ busy).clamp_(-1, 1)
            copies.append((number, buffer.clone()))
    torch.cuda.synchronize()
    for number, found in copies:
        assert _same(streamer.layout, found, wanted[number]), f"block {number}"


@pytest.mark.parametrize("scratches", [1, 2])
@pytest.mark.parametrize("resident", [0, 2, COUNT])
def test_every_pass_gives_the_blocks_bit_for_bit(
    reader: BlockReader, source: Source, wanted: list[Tensor], resident: int, scratches: int
) -> None:
    streamer = CudaStreamer(reader.layout, source, CUDA, resident=resident, scratches=scratches)

    _passes(streamer, wanted, [*range(COUNT)] * 3)

    streamer.close()


@pytest.mark.parametrize("scratches", [1, 2])
def test_blocks_may_be_asked_for_in_any_order(
    reader: BlockReader, source: Source, wanted: list[Tensor], scratches: int
) -> None:
    streamer = CudaStreamer(reader.layout, source, CUDA, resident=1, scratches=scratches)

    _passes(streamer, wanted, [3, 0, 5, 5, 1, 4, 2, 2, 0, 3, 1])

    streamer.close()


def test_more_and_fewer_blocks_stay_from_one_pass_to_the_next(
    reader: BlockReader, source: Source, wanted: list[Tensor]
) -> None:
    streamer = CudaStreamer(reader.layout, source, CUDA)
    # The first product of a process takes a workspace that stays.
    _passes(streamer, wanted, [0])
    empty = torch.cuda.memory_allocated()

    for resident in (3, COUNT, 1, 0, 2):
        streamer.keep_resident(resident)
        _passes(streamer, wanted, [*range(COUNT)])
        torch.cuda.synchronize()
        assert streamer.resident == resident
        assert torch.cuda.memory_allocated() - empty == pytest.approx(resident * reader.layout.size_bytes, rel=0.05)

    streamer.close()


def test_a_pass_that_broke_off_leaves_the_next_one_whole(
    reader: BlockReader, source: Source, wanted: list[Tensor]
) -> None:
    streamer = CudaStreamer(reader.layout, source, CUDA, resident=2, scratches=1)
    _passes(streamer, wanted, [0, 1])

    with pytest.raises(ZeroDivisionError), streamer.using(2):
        _ = 1 / 0
    streamer.forget()

    _passes(streamer, wanted, [*range(COUNT)] * 2)
    streamer.close()


def test_what_streams_takes_two_slots_and_a_scratch_on_the_card(reader: BlockReader) -> None:
    kept = load(reader, codec_named("packed"), CUDA)
    before = torch.cuda.memory_allocated()

    streamer = CudaStreamer(reader.layout, InMemory(kept), CUDA, scratches=1)

    slots = 2 * max(block.used_bytes for block in kept)
    assert torch.cuda.memory_allocated() - before < 1.01 * (slots + reader.layout.size_bytes)
    streamer.close()
    assert torch.cuda.memory_allocated() <= before


def test_a_block_of_the_models_own_size_goes_to_host_memory_and_back_bit_for_bit(tmp_path: Path) -> None:
    with torch.device("meta"):
        layout = transformer.block_layout(QwenImageTransformer2DModel(num_layers=1))
    raw = torch.empty(layout.size_bytes, dtype=torch.uint8, device=CUDA)
    for place in layout.places:
        layout.view(raw, place.name).normal_(std=0.02)
    tensors = {f"blocks.0.{name}": layout.view(raw, name).cpu() for name in layout.by_name}
    save_file(tensors, tmp_path / "a.safetensors")
    one = reader_of(open_checkpoint(tmp_path / "a.safetensors"), "blocks.", 1, layout)
    reader = replace(one, blocks=[*one.blocks] * 4)

    kept = load(reader, codec_named("packed"), CUDA)

    assert all(block.used_bytes < 0.76 * layout.size_bytes for block in kept)
    streamer = CudaStreamer(layout, InMemory(kept), CUDA, resident=1, scratches=1)
    _passes(streamer, [raw] * 4, [*range(4)] * 2)
    streamer.close()


def test_blocks_are_packed_on_the_card_as_they_are_on_the_processor(reader: BlockReader) -> None:
    here, there = (load(reader, codec_named("packed"), torch.device(device)) for device in ("cpu", "cuda"))

    assert [block.used_bytes for block in here] == [block.used_bytes for block in there]
    assert [block.codec.name for block in there] == ["packed"] * 4 + ["bf16", "packed"]
    InMemory(there).close()


def test_a_load_that_fails_leaves_nothing_registered(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _counted(monkeypatch)
    copy = tmp_path / "short.safetensors"
    copy.write_bytes(path.read_bytes())
    reader = reader_of(open_checkpoint(copy), "blocks.", COUNT, layout_of(Layer()))
    with copy.open("r+b") as file:
        file.truncate(copy.stat().st_size - WIDTH * WIDTH)

    with pytest.raises(BadCheckpoint, match="became shorter"):
        load(reader, codec_named("packed"), CUDA)

    assert made
    assert not any(buffer.pinned for buffer in made)


def test_a_card_that_runs_out_in_the_middle_of_a_load_leaves_nothing_registered(
    reader: BlockReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _counted(monkeypatch)

    def take_all(block: int, _layout: Layout, raw: Tensor) -> None:
        if block == 2:
            torch.empty(1 << 50, dtype=torch.uint8, device=raw.device)

    with pytest.raises(torch.OutOfMemoryError):
        load(reader, codec_named("packed"), CUDA, amend=take_all)

    assert made
    assert not any(buffer.pinned for buffer in made)
    kept: list[Kept] = load(reader, codec_named("packed"), CUDA)
    InMemory(kept).close()


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[PinnedBuffer]:
    """Return a list that every buffer that is made joins."""
    made: list[PinnedBuffer] = []
    begin = PinnedBuffer.__init__

    def join(buffer: PinnedBuffer, size_bytes: int, device: torch.device) -> None:
        begin(buffer, size_bytes, device)
        assert buffer.pinned
        made.append(buffer)

    monkeypatch.setattr(PinnedBuffer, "__init__", join)
    return made

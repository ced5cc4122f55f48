"""The bookkeeping of a card's streamer, on a card that does everything at once; see tests/gpu for a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.streaming.sources import InMemory, OnDisk, Source, Stream
from undercard.engine.streaming.streamer import CudaStreamer
from undercard.engine.weights.blocks import layout_of
from undercard.engine.weights.codecs import Packed, Plain
from undercard.engine.weights.kept import Kept
from undercard.engine.weights.loading import BlockReader, load, reader_of

CPU = torch.device("cpu")
COUNT, WIDTH = 7, 64


class _Event:
    def record(self, _stream: object = None) -> None:
        pass

    def synchronize(self) -> None:
        pass


class _Stream:
    def __init__(self, _device: object = None) -> None:
        pass

    def wait_event(self, _event: _Event) -> None:
        pass

    def record_event(self) -> _Event:
        return _Event()


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processor stand in for a card."""
    monkeypatch.setattr(torch.cuda, "Stream", _Stream)
    monkeypatch.setattr(torch.cuda, "Event", _Event)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    monkeypatch.setattr(torch.cuda, "current_stream", _Stream)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _device: None)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> BlockReader:
    path = tmp_path_factory.mktemp("blocks") / "a.safetensors"
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for number in range(COUNT):
        # Block 3 cannot be packed, so that not all are kept alike.
        scale = torch.logspace(-30, 30, WIDTH) if number == 3 else torch.ones(WIDTH)
        tensors[f"blocks.{number}.weight"] = (torch.randn(WIDTH, WIDTH, generator=generator) * scale).bfloat16()
        tensors[f"blocks.{number}.bias"] = torch.randn(WIDTH, generator=generator).bfloat16()
    save_file(tensors, path)
    return reader_of(open_checkpoint(path), "blocks.", COUNT, layout_of(nn.Linear(WIDTH, WIDTH, device="meta")))


@pytest.fixture
def wanted(reader: BlockReader) -> list[Tensor]:
    return [block.tensor for block in load(reader, Plain(), CPU)]


@pytest.fixture(params=["bf16", "packed", "disk"])
def source(request: pytest.FixtureRequest, reader: BlockReader) -> Iterator[Source]:
    source: Source
    if request.param == "disk":
        source = OnDisk(reader, CPU)
    else:
        source = InMemory(load(reader, Packed() if request.param == "packed" else Plain(), CPU))
    yield source
    source.close()


def _use(streamer: CudaStreamer, wanted: list[Tensor], order: list[int]) -> None:
    for number in order:
        with streamer.using(number) as buffer:
            assert torch.equal(buffer, wanted[number]), f"block {number}"


@pytest.mark.parametrize("scratches", [1, 2])
@pytest.mark.parametrize("resident", [0, 1, 5, COUNT])
@pytest.mark.parametrize("order", [[*range(COUNT)] * 3, [3, 0, 6, 6, 1, 5, 2, 2, 0, 4, 3]], ids=["passes", "anyhow"])
def test_what_is_given_is_the_block(
    reader: BlockReader, source: Source, wanted: list[Tensor], order: list[int], resident: int, scratches: int
) -> None:
    streamer = CudaStreamer(reader.layout, source, CPU, resident=resident, scratches=scratches)

    _use(streamer, wanted, order)


def test_blocks_stay_and_go_between_passes(reader: BlockReader, source: Source, wanted: list[Tensor]) -> None:
    streamer = CudaStreamer(reader.layout, source, CPU, scratches=1)

    for resident in (2, COUNT, 1, 0, 4):
        streamer.keep_resident(resident)
        _use(streamer, wanted, [*range(COUNT)])
        assert streamer.resident == resident


def test_a_pass_that_broke_off_is_forgotten(reader: BlockReader, source: Source, wanted: list[Tensor]) -> None:
    streamer = CudaStreamer(reader.layout, source, CPU, resident=2, scratches=1)
    _use(streamer, wanted, [0, 1])

    with pytest.raises(ZeroDivisionError), streamer.using(2):
        _ = 1 / 0
    streamer.forget()

    _use(streamer, wanted, [*range(COUNT)] * 2)


def test_a_block_is_fetched_once_a_pass(reader: BlockReader, wanted: list[Tensor]) -> None:
    source = _Counting(load(reader, Packed(), CPU))
    streamer = CudaStreamer(reader.layout, source, CPU, resident=5, scratches=1)
    _use(streamer, wanted, [*range(COUNT)])
    source.asked.clear()

    _use(streamer, wanted, [*range(COUNT)] * 3)

    # The two that do not stay, in turn.
    assert len(source.asked) <= 7
    assert len(set(source.asked)) == 2


class _Counting(InMemory):
    """Blocks in memory that say which were asked for."""

    def __init__(self, kept: list[Kept]) -> None:
        super().__init__(kept)
        self.asked: list[int] = []

    def lent(self, block: int, _copier: Stream | None = None) -> AbstractContextManager[Tensor]:
        self.asked.append(block)
        return super().lent(block)

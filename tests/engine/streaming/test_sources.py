"""Blocks that stay on disk: the same bits, in any order, through a ring of few buffers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.fakes.cuda_runtime import Runtime
from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.streaming.sources import RING, OnDisk
from undercard.engine.streaming.streamer import HostStreamer
from undercard.engine.weights.blocks import layout_of
from undercard.engine.weights.loading import BlockReader, reader_of
from undercard.errors import BadCheckpoint

CPU, CARD = torch.device("cpu"), torch.device("cuda")
COUNT = 7
WIDTH = 64


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blocks") / "a.safetensors"
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for number in range(COUNT):
        tensors[f"blocks.{number}.weight"] = torch.randn(WIDTH, WIDTH, generator=generator).bfloat16()
        tensors[f"blocks.{number}.bias"] = torch.randn(WIDTH, generator=generator).bfloat16()
    save_file(tensors, path)
    return path


@pytest.fixture
def reader(path: Path) -> BlockReader:
    return reader_of(open_checkpoint(path), "blocks.", COUNT, layout_of(nn.Linear(WIDTH, WIDTH, device="meta")))


@pytest.fixture
def source(reader: BlockReader) -> Iterator[OnDisk]:
    source = OnDisk(reader, CPU)
    yield source
    source.close()


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    runtime = Runtime()
    monkeypatch.setattr(torch.cuda, "cudart", lambda: runtime)
    return runtime


def _block(path: Path, number: int) -> Tensor:
    checkpoint = open_checkpoint(path)
    parts = [checkpoint.read(f"blocks.{number}.{name}").flatten() for name in ("weight", "bias")]
    return torch.cat(parts).view(torch.uint8)


ORDERS = {
    "three passes": [*range(COUNT)] * 3,
    "backwards": [*reversed(range(COUNT))] * 2,
    "here and there": [3, 0, 6, 6, 1, 5, 2, 2, 0, 4, 3],
    "with some on the card": [0, 1, 3, 5, 0, 1, 3, 5],
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("ring", [1, 2, RING, COUNT + 1])
def test_blocks_come_from_disk_bit_for_bit_in_any_order(
    path: Path, reader: BlockReader, order: list[int], ring: int
) -> None:
    source = OnDisk(reader, CPU, ring=ring)
    streamer = HostStreamer(reader.layout, source)

    for number in order:
        with streamer.using(number) as buffer:
            assert torch.equal(buffer, _block(path, number))

    streamer.close()


def test_a_pass_that_broke_off_leaves_the_next_one_whole(path: Path, reader: BlockReader, source: OnDisk) -> None:
    streamer = HostStreamer(reader.layout, source)

    with pytest.raises(ZeroDivisionError), streamer.using(2):
        _ = 1 / 0

    for number in range(COUNT):
        with streamer.using(number) as buffer:
            assert torch.equal(buffer, _block(path, number))


def test_blocks_that_are_expected_are_read_before_they_are_asked_for(source: OnDisk) -> None:
    source.expect(iter([4, 5, 6]))

    _until(lambda: all(source.ready(number) for number in (4, 5, 6)))

    assert not source.ready(0)


def test_a_buffer_is_not_read_into_while_it_is_copied_from(path: Path, reader: BlockReader) -> None:
    source = OnDisk(reader, CPU, ring=1)
    copying = _Copying()

    with source.lent(0, copying) as content:
        pass
    source.expect([1])

    assert not _within(0.2, lambda: source.ready(1))
    assert torch.equal(content, _block(path, 0))
    copying.done.set()
    _until(lambda: source.ready(1))
    assert torch.equal(content, _block(path, 1))
    source.close()


def test_a_block_that_is_in_use_is_not_read_over(path: Path, source: OnDisk) -> None:
    with source.lent(0) as content:
        source.expect([1, 2, 3])
        _until(lambda: source.ready(1) and source.ready(2))

        assert not source.ready(3)
        assert torch.equal(content, _block(path, 0))


def test_a_file_that_became_shorter_is_named_until_it_is_whole_again(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "short.safetensors"
    copy.write_bytes(path.read_bytes())
    layout = layout_of(nn.Linear(WIDTH, WIDTH, device="meta"))
    source = OnDisk(reader_of(open_checkpoint(copy), "blocks.", COUNT, layout), CPU)
    with copy.open("r+b") as file:
        file.truncate(copy.stat().st_size - WIDTH * WIDTH * 4)

    for _ in range(2):
        with pytest.raises(BadCheckpoint, match=r"short\.safetensors became shorter"), source.lent(COUNT - 1):
            pass

    copy.write_bytes(path.read_bytes())
    for number in (COUNT - 1, 0):
        with source.lent(number) as content:
            assert torch.equal(content, _block(path, number))
    source.close()


def test_host_memory_is_a_few_buffers_of_the_largest_block(reader: BlockReader, runtime: Runtime) -> None:
    source = OnDisk(reader, CARD)
    for number in [*range(COUNT)] * 2:
        source.expect((number + step) % COUNT for step in range(COUNT))
        with source.lent(number):
            pass

    assert len(runtime.registered) == runtime.most == RING

    source.close()
    assert not runtime.registered


def test_closing_in_the_middle_of_reading_lets_go_of_every_buffer(reader: BlockReader, runtime: Runtime) -> None:
    source = OnDisk(reader, CARD)
    source.expect(range(COUNT))

    source.close()
    source.close()

    assert not runtime.registered


def test_a_file_that_is_gone_leaves_no_buffer_behind(path: Path, tmp_path: Path, runtime: Runtime) -> None:
    copy = tmp_path / "gone.safetensors"
    copy.write_bytes(path.read_bytes())
    reader = reader_of(open_checkpoint(copy), "blocks.", COUNT, layout_of(nn.Linear(WIDTH, WIDTH, device="meta")))
    copy.unlink()

    with pytest.raises(FileNotFoundError):
        OnDisk(reader, CARD)

    assert runtime.most == RING
    assert not runtime.registered


class _Copying:
    """A stream, and an event of it, that is done when told so."""

    def __init__(self) -> None:
        self.done = threading.Event()

    def record_event(self) -> _Copying:
        return self

    def synchronize(self) -> None:
        assert self.done.wait(10)


def _within(seconds: float, said: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if said():
            return True
        time.sleep(0.002)
    return said()


def _until(said: Callable[[], bool]) -> None:
    assert _within(10, said)

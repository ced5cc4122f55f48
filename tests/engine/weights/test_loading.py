"""Loading leaves nothing registered behind: neither when it fails in the middle nor when it is closed twice."""

from __future__ import annotations

import mmap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.fakes.cuda_runtime import Runtime
from undercard.engine.files.checkpoint import open_checkpoint
from undercard.engine.streaming.sources import InMemory
from undercard.engine.weights.blocks import Layout, layout_of
from undercard.engine.weights.codecs import codec_named
from undercard.engine.weights.kept import Making
from undercard.engine.weights.loading import BlockReader, closing, load, reader_of, reading
from undercard.engine.weights.pinned import HUGE_PAGE, PinnedBuffer
from undercard.errors import BadCheckpoint

CPU, CARD = torch.device("cpu"), torch.device("cuda")
COUNT, WIDTH = 6, 64


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    runtime = Runtime()
    monkeypatch.setattr(torch.cuda, "cudart", lambda: runtime)
    return runtime


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.safetensors"
    save_file({f"blocks.{number}.weight": torch.full((WIDTH, WIDTH), float(number)) for number in range(COUNT)}, path)
    return path


def _reader(path: Path) -> BlockReader:
    layout = layout_of(nn.Linear(WIDTH, WIDTH, bias=False, device="meta"))
    return reader_of(open_checkpoint(path), "blocks.", COUNT, layout)


def test_blocks_that_are_kept_as_they_are_lie_in_a_registered_buffer_each(path: Path, runtime: Runtime) -> None:
    kept = load(_reader(path), codec_named("bf16"), CARD)

    assert len(runtime.registered) == COUNT
    assert [block.tensor.view(torch.bfloat16)[0].item() for block in kept] == list(range(COUNT))
    for block in kept:
        block.buffer.close()


def test_what_is_closed_twice_is_unregistered_once(path: Path, runtime: Runtime) -> None:
    with closing(load(_reader(path), codec_named("bf16"), CARD)) as kept:
        InMemory(kept).close()

        # The runtime stand-in raises on an address that it does not know.
        assert not runtime.registered


def test_what_nobody_closed_is_unregistered_with_the_last_who_holds_it(path: Path, runtime: Runtime) -> None:
    kept = load(_reader(path), codec_named("bf16"), CARD)
    view = kept[0].tensor

    del kept

    assert not runtime.registered
    assert view.numel()


def test_a_file_that_ends_early_leaves_no_buffer_behind(path: Path, runtime: Runtime) -> None:
    reader = _reader(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)

    with pytest.raises(BadCheckpoint, match=r"a\.safetensors became shorter"):
        load(reader, codec_named("bf16"), CARD)

    assert runtime.most > 0
    assert not runtime.registered


def test_host_memory_that_runs_out_in_the_middle_leaves_no_buffer_behind(
    path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = _Memory(buffers=COUNT - 2)
    monkeypatch.setattr(mmap, "mmap", limited)

    with pytest.raises(OSError, match="Cannot allocate memory"):
        load(_reader(path), codec_named("bf16"), CARD)

    assert runtime.most > 0
    assert not runtime.registered


def test_an_error_while_blocks_are_changed_closes_what_was_kept_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[PinnedBuffer] = []
    monkeypatch.setattr(PinnedBuffer, "close", lambda buffer: closed.append(buffer))

    def fail(block: int, _layout: Layout, _raw: Tensor) -> None:
        if block == 3:
            raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        load(_reader(path), codec_named("packed"), CPU, amend=fail)

    assert len(closed) == 3


def test_buffers_that_nobody_took_are_closed_after_an_error(runtime: Runtime) -> None:
    making = Making(CARD)
    begun = [making.begin(HUGE_PAGE) for _ in range(20)]
    begun[0].result()

    with pytest.raises(ZeroDivisionError), making:
        _ = 1 / 0

    assert runtime.most > 0
    assert not runtime.registered


def test_buffers_stay_when_all_went_well(runtime: Runtime) -> None:
    with Making(CARD) as making:
        buffer = making.make(100)

    assert list(runtime.registered.values()) == [HUGE_PAGE]
    assert len(buffer.tensor) == 100
    buffer.close()


class _Memory:
    """Memory for so many buffers."""

    def __init__(self, buffers: int) -> None:
        self.left = buffers
        self.take = mmap.mmap

    def __call__(self, descriptor: int, size_bytes: int, flags: int) -> mmap.mmap:
        self.left -= 1
        if self.left < 0:
            raise OSError(12, "Cannot allocate memory")
        return self.take(descriptor, size_bytes, flags=flags)


def test_threads_that_read_compute_alone_and_others_as_before() -> None:
    together = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with reading(2) as pool:
            alone = pool.submit(torch.get_num_threads).result()
        with ThreadPoolExecutor(1) as later:
            counts = alone, torch.get_num_threads(), later.submit(torch.get_num_threads).result()
    finally:
        torch.set_num_threads(together)

    assert counts == (1, 3, 3)

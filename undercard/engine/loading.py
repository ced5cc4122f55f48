"""From a checkpoint on disk to blocks in host memory, encoded on the way, with no second copy of the model.

Threads read tensors into a few pinned buffers; the card encodes each block and copies it back. 27 GB of bfloat16 go
through in little more than the time it takes to read them from the page cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from undercard.engine.blocks import Layout
from undercard.engine.checkpoint import Checkpoint, Entry, as_memory, opened, read_into, submit_reads
from undercard.engine.codecs import Codec
from undercard.engine.pinned import PinnedBuffer
from undercard.errors import BadCheckpoint

READERS = 16
"""Threads that read; the page cache gave 6 GB/s to one, 31 to 8 and 41 to 16."""
MAKERS = 8
"""Threads that make the buffers that stay."""
STAGES = 3
"""Pinned buffers that blocks pass through."""

Amend = Callable[[int, Layout, Tensor], None]
"""Block, layout and flat buffer: changes a block before it is encoded, as fusing a LoRA does."""


@dataclass(slots=True)
class Kept:
    """One block in host memory."""

    buffer: PinnedBuffer
    used_bytes: int
    plain: bool
    """It is the flat buffer itself, whatever the codec."""

    @property
    def tensor(self) -> Tensor:
        """The bytes that are used."""
        return self.buffer.tensor[: self.used_bytes]


@dataclass(frozen=True)
class BlockReader:
    """Reads the blocks of a checkpoint into flat buffers."""

    layout: Layout
    blocks: Sequence[Mapping[str, Entry]]
    """Parameter → where it lies, for each block."""

    @property
    def files(self) -> dict[Path, Entry]:
        """One entry for each file."""
        return {entry.path: entry for block in self.blocks for entry in block.values()}

    def submit(
        self, pool: ThreadPoolExecutor, files: Mapping[Path, int], block: int, target: Tensor
    ) -> list[Future[None]]:
        """Begin to read *block* into *target*, uint8, (layout.size_bytes,)."""
        view = as_memory(target)
        reads: list[Future[None]] = []
        for place in self.layout.places:
            entry, here = self.blocks[block][place.name], view[place.offset :][: place.size_bytes]
            if entry.dtype == torch.bfloat16:
                reads += submit_reads(pool, files, entry, here)
            else:
                reads.append(pool.submit(_read_rounded, files, entry, here))
        return reads


def _read_rounded(files: Mapping[Path, int], entry: Entry, target: memoryview) -> None:
    raw = torch.empty(entry.size_bytes, dtype=torch.uint8)
    read_into(files, entry, as_memory(raw))
    target[:] = as_memory(raw.view(entry.dtype).to(torch.bfloat16).view(torch.uint8))


def reader_of(checkpoint: Checkpoint, prefix: str, count: int, layout: Layout) -> BlockReader:
    """Return a reader of the *count* blocks whose parameters are called `{prefix}{number}.…`.

    Raises:
        BadCheckpoint: a parameter is missing, has another shape, or is of a type that only makes sense with scales.
    """
    blocks = []
    for number in range(count):
        entries = {place.name: checkpoint[f"{prefix}{number}.{place.name}"] for place in layout.places}
        for place in layout.places:
            _require(checkpoint, f"{prefix}{number}.{place.name}", entries[place.name], place.shape)
        blocks.append(entries)
    return BlockReader(layout, blocks)


def _require(checkpoint: Checkpoint, name: str, entry: Entry, shape: tuple[int, ...]) -> None:
    if entry.shape != shape:
        raise BadCheckpoint(f"{checkpoint.source}: {name} is {entry.shape}, not {shape}; it is another model's")
    if entry.dtype not in {torch.bfloat16, torch.float16, torch.float32}:
        raise BadCheckpoint(
            f"{checkpoint.source}: {name} is {entry.dtype}, which means nothing without scales; give a bf16 checkpoint"
        )


def load(reader: BlockReader, codec: Codec, device: torch.device, amend: Amend | None = None) -> list[Kept]:
    """Read every block and return it as *codec* keeps it.

    Raises:
        BadCheckpoint: a file ended early.
        torch.OutOfMemoryError: the card has no room for two blocks.
    """
    with opened(reader.files.values()) as files, ThreadPoolExecutor(READERS, "read") as pool:
        if codec.plain and amend is None:
            return _load_plain(reader, device, files, pool)
        if device.type == "cuda":
            return _CudaLoad(reader, codec, device, amend, files, pool).run()
        return [_encode_here(reader, codec, amend, files, pool, number) for number in range(len(reader.blocks))]


def _load_plain(
    reader: BlockReader, device: torch.device, files: Mapping[Path, int], pool: ThreadPoolExecutor
) -> list[Kept]:
    """Read straight into the buffers that stay."""

    def buffer() -> PinnedBuffer:
        return PinnedBuffer(reader.layout.size_bytes, device)

    made = [pool.submit(buffer) for _ in reader.blocks]
    reads = []
    for number, ready in enumerate(made):
        reads += reader.submit(pool, files, number, ready.result().tensor)
    for read in reads:
        read.result()
    return [Kept(ready.result(), reader.layout.size_bytes, plain=True) for ready in made]


def _encode_here(
    reader: BlockReader,
    codec: Codec,
    amend: Amend | None,
    files: Mapping[Path, int],
    pool: ThreadPoolExecutor,
    number: int,
) -> Kept:
    raw = torch.empty(reader.layout.size_bytes, dtype=torch.uint8)
    for read in reader.submit(pool, files, number, raw):
        read.result()
    if amend is not None:
        amend(number, reader.layout, raw)
    kept = torch.empty(codec.capacity(reader.layout), dtype=torch.uint8)
    used = int(codec.encode(reader.layout, raw, kept))
    return _keep(kept[:used] if used else raw, plain=codec.plain or not used)


def _keep(content: Tensor, *, plain: bool) -> Kept:
    buffer = PinnedBuffer(content.numel(), content.device)
    buffer.tensor.copy_(content)
    return Kept(buffer, content.numel(), plain)


@dataclass(slots=True)
class _Passing:
    """A block between its arrival on the card and its way back."""

    number: int
    raw: Tensor
    kept: Tensor
    used: Tensor
    """int64 in pinned memory."""
    encoded: torch.cuda.Event


class _CudaLoad:
    """One load through a card."""

    def __init__(
        self,
        reader: BlockReader,
        codec: Codec,
        device: torch.device,
        amend: Amend | None,
        files: Mapping[Path, int],
        pool: ThreadPoolExecutor,
    ) -> None:
        self.reader, self.codec, self.device, self.amend = reader, codec, device, amend
        self.files, self.pool = files, pool
        layout = reader.layout
        self.capacity = codec.capacity(layout)
        self.stages = [PinnedBuffer(layout.size_bytes, device) for _ in range(min(STAGES, len(reader.blocks)))]
        self.raws = [torch.empty(layout.size_bytes, dtype=torch.uint8, device=device) for _ in range(2)]
        self.kepts = [torch.empty(self.capacity, dtype=torch.uint8, device=device) for _ in range(2)]
        self.back = torch.cuda.Stream(device)
        self.returned = [torch.cuda.Event() for _ in range(2)]
        self.expected = codec.expected(layout)
        self.results: list[Kept] = []

    def run(self) -> list[Kept]:
        """Load all blocks."""
        count = len(self.reader.blocks)
        # Touching memory takes as many threads as reading does; a few buffers ahead are enough.
        makers = ThreadPoolExecutor(MAKERS, "pin")
        made = [makers.submit(PinnedBuffer, self.expected, self.device) for _ in range(count)]
        try:
            reads = {number: self._read(number) for number in range(len(self.stages))}
            behind: _Passing | None = None
            for number in range(count):
                for read in reads.pop(number):
                    read.result()
                arrived, passing = self._encode(number)
                if behind is not None:
                    self._bring_back(behind, made)
                behind = passing
                arrived.synchronize()
                if number + len(self.stages) < count:
                    reads[number + len(self.stages)] = self._read(number + len(self.stages))
            if behind is not None:
                self._bring_back(behind, made)
            self.back.synchronize()
        finally:
            makers.shutdown(cancel_futures=True)
            torch.cuda.synchronize(self.device)
            for stage in self.stages:
                stage.close()
        return self.results

    def _read(self, number: int) -> list[Future[Any]]:
        return [*self.reader.submit(self.pool, self.files, number, self.stages[number % len(self.stages)].tensor)]

    def _encode(self, number: int) -> tuple[torch.cuda.Event, _Passing]:
        raw, kept = self.raws[number % 2], self.kepts[number % 2]
        arrived, encoded = torch.cuda.Event(), torch.cuda.Event()
        # The raw and the kept buffer were last read by the copy back of the block before the last.
        torch.cuda.current_stream(self.device).wait_event(self.returned[number % 2])
        raw.copy_(self.stages[number % len(self.stages)].tensor, non_blocking=True)
        arrived.record()
        if self.amend is not None:
            self.amend(number, self.reader.layout, raw)
        used = torch.empty((), dtype=torch.int64, pin_memory=True)
        used.copy_(self.codec.encode(self.reader.layout, raw, kept), non_blocking=True)
        encoded.record()
        return arrived, _Passing(number, raw, kept, used, encoded)

    def _bring_back(self, passing: _Passing, made: Sequence[Future[PinnedBuffer]]) -> None:
        passing.encoded.synchronize()
        used = int(passing.used)
        content = passing.kept[:used] if used else passing.raw
        buffer = made[passing.number].result()
        if content.numel() > self.expected:
            buffer.close()
            buffer = PinnedBuffer(content.numel(), self.device)
        with torch.cuda.stream(self.back):
            buffer.tensor[: content.numel()].copy_(content, non_blocking=True)
            self.returned[passing.number % 2].record()
        self.results.append(Kept(buffer, content.numel(), plain=self.codec.plain or not used))


@contextmanager
def closing(kept: Sequence[Kept]) -> Iterator[Sequence[Kept]]:
    """Unregister the buffers of *kept* when the context ends."""
    try:
        yield kept
    finally:
        for block in kept:
            block.buffer.close()

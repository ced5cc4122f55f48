"""From a checkpoint on disk to blocks in host memory, encoded on the way, with no second copy of the model.

Threads read tensors into a few pinned buffers; the card encodes each block and copies it back. 27 GB of bfloat16 in
memory took 3.4 s on an H100's host, and 7.2 s where that memory was touched for the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from undercard.engine.files.checkpoint import Checkpoint, Entry, as_memory, opened, read_into, submit_reads
from undercard.engine.weights import through_card
from undercard.engine.weights.blocks import Layout
from undercard.engine.weights.codecs import Codec, Plain
from undercard.engine.weights.kept import Kept, Making
from undercard.errors import BadCheckpoint

READERS = 16
"""Threads that read; the page cache gave 6 GB/s to one, 31 to 8 and 41 to 16."""

Amend = Callable[[int, Layout, Tensor], None]
"""Block, layout and flat buffer: changes a block before it is encoded, as fusing a LoRA does."""


class Blocks(Protocol):
    """The blocks of a model, on disk."""

    @property
    def layout(self) -> Layout:
        """How each lies once it is decoded."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def files(self) -> Mapping[Path, Entry]:
        """One entry for each file."""

    def codec(self, block: int) -> Codec:
        """Return what decodes *block* as `submit` leaves it."""

    def submit(self, pool: Executor, files: Mapping[Path, int], block: int, target: Tensor) -> list[Future[None]]:
        """Begin to read *block* into *target*, uint8, (codec(block).capacity(layout),)."""


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

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return len(self.blocks)

    def codec(self, _block: int) -> Codec:
        """Return the codec of what `submit` reads: bfloat16 as it is."""
        return Plain()

    def submit(self, pool: Executor, files: Mapping[Path, int], block: int, target: Tensor) -> list[Future[None]]:
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
    if codec.plain and amend is None:
        return load_as_it_lies(reader, device)
    with Making(device) as making, opened(reader.files.values()) as files, reading() as pool:
        submit = partial(reader.submit, pool, files)
        if device.type == "cuda":
            return through_card.encode_all(reader.layout, reader.count, submit, codec, device, amend, making)
        return [_encode_here(reader.layout, submit, codec, amend, making, number) for number in range(reader.count)]


def load_as_it_lies(blocks: Blocks, device: torch.device) -> list[Kept]:
    """Read every block straight into the buffers that stay, in the form that its file has it in.

    Raises:
        BadCheckpoint: a file ended early.
    """
    codecs = [blocks.codec(number) for number in range(blocks.count)]
    sizes = [codec.capacity(blocks.layout) for codec in codecs]
    with Making(device) as making, opened(blocks.files.values()) as files, reading() as pool:
        made = [making.begin(size) for size in sizes]
        reads = []
        for number, ready in enumerate(made):
            reads += blocks.submit(pool, files, number, ready.result().tensor)
        for read in reads:
            read.result()
        return [Kept(ready.result(), size, codec) for ready, size, codec in zip(made, sizes, codecs, strict=True)]


@contextmanager
def reading(threads: int = READERS) -> Iterator[ThreadPoolExecutor]:
    """Yield *threads* that read; what they have not begun when the context breaks off is left.

    Each computes alone: with torch's own threads beside every one of them, they would wait for each other.
    """
    together = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, "read", initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        # Of threads that begin later: torch holds it for each, and gives new ones what was set last.
        torch.set_num_threads(together)


def _encode_here(
    layout: Layout,
    submit: Callable[[int, Tensor], list[Future[None]]],
    codec: Codec,
    amend: Amend | None,
    making: Making,
    number: int,
) -> Kept:
    raw = torch.empty(layout.size_bytes, dtype=torch.uint8)
    for read in submit(number, raw):
        read.result()
    if amend is not None:
        amend(number, layout, raw)
    kept = torch.empty(codec.capacity(layout), dtype=torch.uint8)
    used = int(codec.encode(layout, raw, kept))
    content = kept[:used] if used else raw
    buffer = making.make(content.numel())
    buffer.tensor.copy_(content)
    return Kept(buffer, content.numel(), codec if used else Plain())


@contextmanager
def closing(kept: Sequence[Kept]) -> Iterator[Sequence[Kept]]:
    """Unregister the buffers of *kept* when the context ends."""
    try:
        yield kept
    finally:
        for block in kept:
            block.buffer.close()

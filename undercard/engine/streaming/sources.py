"""Where a streamer takes blocks from: host memory that holds them all, or a ring of buffers that are read into."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import ParamSpec, Protocol, TypeVar

import torch
from torch import Tensor

from undercard.engine.files.checkpoint import opened
from undercard.engine.weights.codecs import Codec
from undercard.engine.weights.kept import Kept, Making
from undercard.engine.weights.loading import Blocks, reading
from undercard.engine.weights.pinned import PinnedBuffer

RING = 3
"""Buffers that blocks are read into: one that is copied from, one that is ready, one that is read."""
P = ParamSpec("P")
T = TypeVar("T")


class Event(Protocol):
    """Something that a stream will have done."""

    def synchronize(self) -> None:
        """Wait for it."""


class Stream(Protocol):
    """What copies from host memory: a `torch.cuda.Stream`."""

    def record_event(self) -> Event:
        """Return the end of what was queued so far."""


class Source(Protocol):
    """Blocks in host memory, or on their way there."""

    @property
    def count(self) -> int:
        """How many there are."""

    def size_bytes(self, block: int) -> int:
        """Return what *block* takes."""

    def codec(self, block: int) -> Codec:
        """Return what decodes *block*."""

    def lent(self, block: int, copier: Stream | None = None) -> AbstractContextManager[Tensor]:
        """Return a context manager that gives the bytes of *block*, when they are there.

        They stay as they are until the context ends, and until *copier* has done what was queued on it by then.

        Raises:
            BadCheckpoint: the file ended before the block did.
        """

    def ready(self, block: int) -> bool:
        """Say whether `lent` need not wait."""

    def expect(self, blocks: Iterable[int]) -> None:
        """Say which blocks will be asked for next, the nearest first."""

    def close(self) -> None:
        """Let go of pinned memory."""


class InMemory:
    """Blocks that are all in host memory."""

    def __init__(self, kept: Sequence[Kept]) -> None:
        self.kept = kept

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.kept)

    def size_bytes(self, block: int) -> int:
        """Return what *block* takes."""
        return self.kept[block].used_bytes

    def codec(self, block: int) -> Codec:
        """Return what decodes *block*."""
        return self.kept[block].codec

    def lent(self, block: int, _copier: Stream | None = None) -> AbstractContextManager[Tensor]:
        """Return what gives the bytes of *block*."""
        return nullcontext(self.kept[block].tensor)

    def ready(self, _block: int) -> bool:
        """Say yes."""
        return True

    def expect(self, blocks: Iterable[int]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Unregister the buffers."""
        for block in self.kept:
            block.buffer.close()
        self.kept = ()


@dataclass(eq=False, slots=True)
class _Buffer:
    """One of the ring."""

    pinned: PinnedBuffer
    block: int | None = None
    """What it holds, or will when the reads are done."""
    reads: Sequence[Future[None]] = ()
    copied: Event | None = None
    """After which it may be overwritten."""
    lent: bool = False

    def empty(self) -> None:
        """Stop the reads."""
        for read in self.reads:
            read.cancel()
        wait(self.reads)
        self.block, self.reads = None, ()


class OnDisk:
    """Blocks that stay on disk, for hosts without memory for them: threads read them ahead of use.

    Args:
        blocks: the files.
        device: what the blocks are copied to, or the processor.
        ring: how many buffers of the largest block's size to read into.

    Raises:
        OSError: a file cannot be opened.
    """

    def __init__(self, blocks: Blocks, device: torch.device, *, ring: int = RING) -> None:
        self._blocks, self.count = blocks, blocks.count
        self._codecs = [blocks.codec(number) for number in range(self.count)]
        self._sizes = [codec.capacity(blocks.layout) for codec in self._codecs]
        with ExitStack() as stack:
            making = stack.enter_context(Making(device))
            begun = [making.begin(max(self._sizes)) for _ in range(min(ring, self.count))]
            self._ring = [_Buffer(made.result()) for made in begun]
            """The one that was lent longest ago first."""
            self._files = stack.enter_context(opened(blocks.files.values()))
            self._pool = stack.enter_context(reading())
            self._resources = stack.pop_all()

    def size_bytes(self, block: int) -> int:
        """Return what *block* takes."""
        return self._sizes[block]

    def codec(self, block: int) -> Codec:
        """Return what decodes *block*."""
        return self._codecs[block]

    def ready(self, block: int) -> bool:
        """Say whether *block* is read."""
        held = self._holding(block)
        return held is not None and all(read.done() for read in held.reads)

    def expect(self, blocks: Iterable[int]) -> None:
        """Begin to read *blocks*, as many as the ring has room for."""
        wanted = list(islice(blocks, len(self._ring)))
        for block in wanted:
            if self._holding(block) is None:
                free = next((each for each in self._ring if not each.lent and each.block not in wanted), None)
                if free is None:
                    return
                self._begin(free, block)

    @contextmanager
    def lent(self, block: int, copier: Stream | None = None) -> Iterator[Tensor]:
        """Give the bytes of *block* once they are read."""
        held = self._holding(block)
        if held is None:
            held = next(each for each in self._ring if not each.lent)
            self._begin(held, block)
        try:
            for read in held.reads:
                read.result()
        except BaseException:
            held.empty()
            raise
        held.lent = True
        try:
            yield held.pinned.tensor[: self._sizes[block]]
        finally:
            held.lent = False
            held.copied = copier.record_event() if copier else None
            self._ring.remove(held)
            self._ring.append(held)

    def close(self) -> None:
        """Stop reading, and let go of the ring."""
        for held in self._ring:
            held.empty()
            held.pinned.close()
        self._ring = []
        self._resources.close()

    def _holding(self, block: int) -> _Buffer | None:
        return next((each for each in self._ring if each.block == block), None)

    def _begin(self, held: _Buffer, block: int) -> None:
        held.empty()
        target = held.pinned.tensor[: self._sizes[block]]
        held.block = block
        held.reads = self._blocks.submit(_After(self._pool, held.copied), self._files, block, target)


class _After(Executor):
    """Lets threads begin once an event has passed."""

    def __init__(self, pool: Executor, event: Event | None) -> None:
        self._pool, self._event = pool, event

    def submit(self, work: Callable[P, T], /, *given: P.args, **named: P.kwargs) -> Future[T]:
        """Queue *work*."""
        return self._pool.submit(self._run, work, *given, **named)

    def _run(self, work: Callable[P, T], /, *given: P.args, **named: P.kwargs) -> T:
        if self._event is not None:
            self._event.synchronize()
        return work(*given, **named)

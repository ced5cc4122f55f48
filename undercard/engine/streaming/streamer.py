"""Blocks that pass through a card: copied while the one before computes, decoded on arrival, a few of them staying.

A pass asks for the blocks in order, and passes follow one another: after the last block comes the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor

from undercard.engine.streaming.sources import Source
from undercard.engine.weights.blocks import Layout

SLOTS = 2


class Streamer(Protocol):
    """Gives the flat bfloat16 buffer of any block for as long as it is used."""

    layout: Layout
    count: int

    def using(self, block: int) -> AbstractContextManager[Tensor]:
        """Return a context manager that gives block number *block*, valid inside."""

    def close(self) -> None:
        """Free what lies on the card and in pinned memory."""


class HostStreamer:
    """Decodes each block where it lies, for models that compute on the processor."""

    def __init__(self, layout: Layout, source: Source) -> None:
        self.layout, self.source = layout, source
        self.count = source.count
        self.resident = 0
        decoded = any(not source.codec(block).plain for block in range(self.count))
        self._raw = torch.empty(layout.size_bytes if decoded else 0, dtype=torch.uint8)

    @contextmanager
    def using(self, block: int) -> Iterator[Tensor]:
        """Give block number *block*."""
        codec = self.source.codec(block)
        with self.source.lent(block) as content:
            self.source.expect((block + step) % self.count for step in range(1, self.count))
            if codec.plain:
                yield content
                return
            codec.decode(self.layout, content, self._raw)
        yield self._raw

    def close(self) -> None:
        """Let go of the blocks."""
        self.source.close()


class CudaStreamer:
    """Streams blocks to a card.

    Args:
        layout: of every block.
        source: the blocks in host memory, or on their way there; each is decoded by its own codec.
        device: the card.
        resident: how many blocks stay on the card, decoded and spread evenly; they arrive during the first pass.
        scratches: buffers that blocks are decoded into: with 2, a block is decoded while the one before computes.
    """

    def __init__(
        self,
        layout: Layout,
        source: Source,
        device: torch.device,
        *,
        resident: int = 0,
        scratches: int = 2,
    ) -> None:
        self.layout, self.source, self.device = layout, source, device
        self.count = source.count
        self._plain = frozenset(block for block in range(self.count) if source.codec(block).plain)
        """Blocks that are computed with where they arrive."""
        self.copies, self.decodes = torch.cuda.Stream(device), torch.cuda.Stream(device)
        self._scratch_count = scratches if len(self._plain) < self.count else 0
        self._slot_bytes = max(source.size_bytes(block) for block in range(self.count))
        self._take_place()
        self._fetched: dict[int, int] = {}
        """Block → the slot that holds it: until it is decoded, or where it is plain until it was computed with."""
        self._decoded: dict[int, int] = {}
        """Block → the scratch that holds it."""
        self._resident: dict[int, Tensor] = {}
        self._wanted: frozenset[int] = frozenset()
        self.keep_resident(resident)

    @property
    def resident(self) -> int:
        """How many blocks stay on the card."""
        return len(self._wanted)

    def keep_resident(self, count: int) -> None:
        """Let *count* blocks stay on the card from the next pass on, and let go of others."""
        count = min(max(count, 0), self.count)
        self._wanted = frozenset(number * self.count // count for number in range(count)) if count else frozenset()
        for block in self._resident.keys() - self._wanted:
            del self._resident[block]

    def _take_place(self) -> None:
        """Take the buffers that blocks pass through."""
        self._scratches = [self._raw() for _ in range(self._scratch_count)]
        self._released = [torch.cuda.Event() for _ in self._scratches]
        self._decoded_event = [torch.cuda.Event() for _ in self._scratches]
        self._slots = [torch.empty(self._slot_bytes, dtype=torch.uint8, device=self.device) for _ in range(SLOTS)]
        self._arrived = [torch.cuda.Event() for _ in self._slots]
        self._emptied = [torch.cuda.Event() for _ in self._slots]

    @contextmanager
    def using(self, block: int) -> Iterator[Tensor]:
        """Give block number *block*: work on the current stream may use it until the context ends."""
        if not self._slots:
            self._take_place()
        here = self._resident.get(block)
        if here is None:
            here = self._stay(block, self._arrive(block))
        self._run_ahead(block)
        try:
            yield here
        finally:
            if block in self._decoded:
                self._released[self._decoded.pop(block)].record()
            elif block in self._fetched:
                self._emptied[self._fetched.pop(block)].record()

    def forget(self) -> None:
        """Begin anew after a pass that broke off: whatever is on its way is dropped."""
        torch.cuda.synchronize(self.device)
        self._fetched.clear()
        self._decoded.clear()

    def withdraw(self) -> None:
        """Leave the card to others until the next block is asked for; those that stay come back with the next pass."""
        self.forget()
        self._resident.clear()
        self._slots.clear()
        self._scratches.clear()

    def close(self) -> None:
        """Free what lies on the card and in pinned memory."""
        self.withdraw()
        self.source.close()

    def _raw(self) -> Tensor:
        return torch.empty(self.layout.size_bytes, dtype=torch.uint8, device=self.device)

    def _arrive(self, block: int) -> Tensor:
        """Bring *block* to the card, and let the current stream wait until it is there, decoded."""
        here = torch.cuda.current_stream(self.device)
        if block in self._plain:
            slot = self._fetch(block)
            here.wait_event(self._arrived[slot])
            return self._slots[slot][: self.source.size_bytes(block)]
        scratch = self._decode(block)
        here.wait_event(self._decoded_event[scratch])
        return self._scratches[scratch]

    def _stay(self, block: int, arrived: Tensor) -> Tensor:
        """Make *block* resident when it is to be."""
        if block not in self._wanted:
            return arrived
        self._resident[block] = arrived.clone()
        return self._resident[block]

    def _run_ahead(self, block: int) -> None:
        """Begin to copy, and where there is room to decode, what comes next and is in host memory already."""
        for ahead in islice(self._after(block), SLOTS + 1):
            if ahead in self._decoded:
                continue
            if ahead not in self._fetched and not self.source.ready(ahead):
                break
            if ahead not in self._fetched and len(self._fetched) == SLOTS:
                break
            if ahead not in self._plain and len(self._decoded) < len(self._scratches):
                self._decode(ahead)
            else:
                self._fetch(ahead)
        self.source.expect(ahead for ahead in self._after(block) if not self._on_card(ahead))

    def _after(self, block: int) -> Iterator[int]:
        """Yield the next blocks that are not on the card to stay, the nearest first."""
        following = ((block + step) % self.count for step in range(1, self.count))
        return (ahead for ahead in following if ahead not in self._resident)

    def _on_card(self, block: int) -> bool:
        return block in self._fetched or block in self._decoded

    def _fetch(self, block: int) -> int:
        """Begin to copy *block* into a slot, and return which."""
        if block not in self._fetched:
            if len(self._fetched) == SLOTS:
                # What a slot holds is not wanted after all: a pass began elsewhere.
                del self._fetched[next(iter(self._fetched))]
            free = next(slot for slot in range(SLOTS) if slot not in self._fetched.values())
            with self.source.lent(block, self.copies) as content, torch.cuda.stream(self.copies):
                self.copies.wait_event(self._emptied[free])
                self._slots[free][: content.numel()].copy_(content, non_blocking=True)
                self._arrived[free].record()
            self._fetched[block] = free
        return self._fetched[block]

    def _decode(self, block: int) -> int:
        """Begin to bring *block* into a scratch, and return which."""
        if block in self._decoded:
            return self._decoded[block]
        if len(self._decoded) == len(self._scratches):
            self._drop_one_ahead()
        scratch = next(index for index in range(len(self._scratches)) if index not in self._decoded.values())
        self._decode_from(self._fetch(block), block, scratch)
        self._decoded[block] = scratch
        return scratch

    def _decode_from(self, slot: int, block: int, scratch: int) -> None:
        content = self._slots[slot][: self.source.size_bytes(block)]
        with torch.cuda.stream(self.decodes):
            self.decodes.wait_event(self._arrived[slot])
            self.decodes.wait_event(self._released[scratch])
            self.source.codec(block).decode(self.layout, content, self._scratches[scratch])
            self._emptied[slot].record()
            self._decoded_event[scratch].record()
        del self._fetched[block]

    def _drop_one_ahead(self) -> None:
        """Give up a block that was decoded and is not wanted after all: a pass began elsewhere."""
        block, scratch = next(iter(self._decoded.items()))
        self._decoded_event[scratch].synchronize()
        del self._decoded[block]

"""Encoding blocks on a card while they are loaded: in from the file, encoded, and back to host memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import torch
from torch import Tensor

from undercard.engine.weights.blocks import Layout
from undercard.engine.weights.codecs import Codec, Plain
from undercard.engine.weights.kept import Kept, Making
from undercard.engine.weights.pinned import PinnedBuffer

STAGES = 3
"""Pinned buffers that blocks pass through."""


def encode_all(
    layout: Layout,
    count: int,
    submit: Callable[[int, Tensor], list[Future[None]]],
    codec: Codec,
    device: torch.device,
    amend: Callable[[int, Layout, Tensor], None] | None,
    making: Making,
) -> list[Kept]:
    """Return *count* blocks as *codec* keeps them.

    Args:
        layout: of every block.
        count: how many there are.
        submit: begins to read a block into a buffer of `layout.size_bytes`.
        codec: what they are to be kept in.
        device: the card.
        amend: changes a block on the card before it is encoded.
        making: makes the buffers, and closes them all should this raise.

    Raises:
        BadCheckpoint: a file ended early.
        torch.OutOfMemoryError: the card has no room for two blocks.
    """
    stages = [making.begin(layout.size_bytes) for _ in range(min(STAGES, count))]
    expected = codec.expected(layout)
    made = [making.begin(expected) for _ in range(count)]
    load = _Load(layout, submit, codec, device, amend, making, [stage.result() for stage in stages])
    return load.run(made)


@dataclass(slots=True)
class _Passing:
    """A block between its arrival on the card and its way back."""

    number: int
    raw: Tensor
    kept: Tensor
    used: Tensor
    """int64 in pinned memory."""
    encoded: torch.cuda.Event


class _Load:
    """One load through a card."""

    def __init__(
        self,
        layout: Layout,
        submit: Callable[[int, Tensor], list[Future[None]]],
        codec: Codec,
        device: torch.device,
        amend: Callable[[int, Layout, Tensor], None] | None,
        making: Making,
        stages: Sequence[PinnedBuffer],
    ) -> None:
        self.layout, self.submit, self.codec, self.device, self.amend = layout, submit, codec, device, amend
        self.making, self.stages = making, stages
        self.raws = [torch.empty(layout.size_bytes, dtype=torch.uint8, device=device) for _ in range(2)]
        capacity = codec.capacity(layout)
        self.kepts = [torch.empty(capacity, dtype=torch.uint8, device=device) for _ in range(2)]
        self.back = torch.cuda.Stream(device)
        self.returned = [torch.cuda.Event() for _ in range(2)]
        self.results: list[Kept] = []

    def run(self, made: Sequence[Future[PinnedBuffer]]) -> list[Kept]:
        """Load a block for each buffer that is *made* for one."""
        try:
            reads = {number: self._read(number) for number in range(len(self.stages))}
            behind: _Passing | None = None
            for number in range(len(made)):
                for read in reads.pop(number):
                    read.result()
                arrived, passing = self._encode(number)
                if behind is not None:
                    self._bring_back(behind, made)
                behind = passing
                arrived.synchronize()
                if number + len(self.stages) < len(made):
                    reads[number + len(self.stages)] = self._read(number + len(self.stages))
            if behind is not None:
                self._bring_back(behind, made)
        finally:
            # Nothing may be on its way when buffers are let go of.
            torch.cuda.synchronize(self.device)
            for stage in self.stages:
                stage.close()
        return self.results

    def _read(self, number: int) -> list[Future[None]]:
        return self.submit(number, self.stages[number % len(self.stages)].tensor)

    def _encode(self, number: int) -> tuple[torch.cuda.Event, _Passing]:
        raw, kept = self.raws[number % 2], self.kepts[number % 2]
        arrived, encoded = torch.cuda.Event(), torch.cuda.Event()
        # The raw and the kept buffer were last read by the copy back of the block before the last.
        torch.cuda.current_stream(self.device).wait_event(self.returned[number % 2])
        raw.copy_(self.stages[number % len(self.stages)].tensor, non_blocking=True)
        arrived.record()
        if self.amend is not None:
            self.amend(number, self.layout, raw)
        used = torch.empty((), dtype=torch.int64, pin_memory=True)
        used.copy_(self.codec.encode(self.layout, raw, kept), non_blocking=True)
        encoded.record()
        return arrived, _Passing(number, raw, kept, used, encoded)

    def _bring_back(self, passing: _Passing, made: Sequence[Future[PinnedBuffer]]) -> None:
        passing.encoded.synchronize()
        used = int(passing.used)
        content = passing.kept[:used] if used else passing.raw
        buffer = made[passing.number].result()
        if content.numel() > len(buffer.tensor):
            buffer.close()
            buffer = self.making.make(content.numel())
        with torch.cuda.stream(self.back):
            buffer.tensor[: content.numel()].copy_(content, non_blocking=True)
            self.returned[passing.number % 2].record()
        self.results.append(Kept(buffer, content.numel(), self.codec if used else Plain()))

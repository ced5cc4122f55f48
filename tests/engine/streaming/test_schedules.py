"""The order of copies on a card: no schedule that CUDA allows may show a block anything but its own bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from tests.fakes.imagined_card import Card, Event, Stream, check
from undercard.engine.streaming.streamer import CudaStreamer
from undercard.engine.weights.blocks import Layout
from undercard.engine.weights.codecs import Codec

CPU = torch.device("cpu")
BYTES = 16
LAYOUT = Layout((), BYTES, BYTES)
ORDERS = 20
DECODED, PLAIN = (False,), (True,)
MIXED = (False, False, True), (True, True, False)


@dataclass(frozen=True)
class CopyingCodec:
    """Decodes by copying, which the imagined card can put off."""

    plain: bool
    name: str = "copying"
    exact: bool = True

    def decode(self, _layout: Layout, kept: Tensor, raw: Tensor) -> None:
        raw.copy_(kept)


class Numbered:
    """Blocks in host memory that are full of their own number."""

    def __init__(self, count: int, plain: Sequence[bool]) -> None:
        self.blocks = [torch.full((BYTES,), number, dtype=torch.uint8) for number in range(count)]
        self.codecs = [CopyingCodec(plain[number % len(plain)]) for number in range(count)]
        self.count = count

    def size_bytes(self, block: int) -> int:
        return BYTES

    def codec(self, block: int) -> Codec:
        return cast("Codec", self.codecs[block])

    @contextmanager
    def lent(self, block: int, _copier: object = None) -> Iterator[Tensor]:
        yield self.blocks[block]

    def ready(self, _block: int) -> bool:
        return True

    def expect(self, _blocks: object) -> None:
        pass

    def close(self) -> None:
        self.blocks.clear()


@pytest.fixture
def imagine(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Card]:
    """Return what puts a card with an order of its own in the place of CUDA's."""

    def imagined(seed: int) -> Card:
        card = Card(seed)
        monkeypatch.setattr(torch.cuda, "Stream", lambda *_: Stream(card))
        monkeypatch.setattr(torch.cuda, "Event", lambda *_: Event(card))
        monkeypatch.setattr(torch.cuda, "current_stream", lambda *_: card.current)
        monkeypatch.setattr(torch.cuda, "stream", card.stream)
        monkeypatch.setattr(torch.cuda, "synchronize", card.synchronize)
        return card

    return imagined


def compute(card: Card, streamer: CudaStreamer, block: int, wrong: list[str]) -> None:
    """Look at *block* on the main stream and on one beside it, as the two streams of a transformer block do."""
    beside = card.streams[1]
    with streamer.using(block) as buffer:
        beside.wait_stream(card.current)
        with card.stream(beside):
            card.later(lambda: check(buffer, block, wrong, f"beside, block {block}"))
        card.later(lambda: check(buffer, block, wrong, f"block {block}"))
        card.current.wait_stream(beside)


def streamer_on(card: Card, count: int, **options: Any) -> CudaStreamer:
    plain = options.pop("plain", DECODED)
    Stream(card)
    return CudaStreamer(LAYOUT, cast("Any", Numbered(count, plain)), CPU, **options)


@pytest.mark.parametrize("resident", [0, 1, 3, 7])
@pytest.mark.parametrize("scratches", [1, 2])
@pytest.mark.parametrize("plain", [DECODED, PLAIN, *MIXED])
def test_every_block_is_itself_while_it_computes(
    imagine: Callable[[int], Card], resident: int, scratches: int, plain: tuple[bool, ...]
) -> None:
    wrong: list[str] = []
    for seed in range(ORDERS):
        with imagine(seed) as card:
            streamer = streamer_on(card, 7, resident=resident, scratches=scratches, plain=plain)
            for block in [*range(7)] * 3:
                compute(card, streamer, block, wrong)
            card.synchronize()

    assert wrong == []


@pytest.mark.parametrize("plain", [DECODED, PLAIN, *MIXED])
def test_so_it_is_when_passes_break_off_and_residents_come_and_go(
    imagine: Callable[[int], Card], plain: tuple[bool, ...]
) -> None:
    wrong: list[str] = []
    for seed in range(ORDERS):
        with imagine(seed) as card:
            streamer = streamer_on(card, 6, resident=2, scratches=1, plain=plain)
            for stop, resident in ((3, 4), (6, 0), (1, 6), (6, 3), (2, 1), (6, 1)):
                for block in range(stop):
                    compute(card, streamer, block, wrong)
                streamer.keep_resident(resident)
            card.synchronize()

    assert wrong == []


def test_so_it_is_when_the_streamer_leaves_the_card_between_passes(imagine: Callable[[int], Card]) -> None:
    wrong: list[str] = []
    for seed in range(ORDERS):
        with imagine(seed) as card:
            streamer = streamer_on(card, 5, resident=2, scratches=1)
            for stop in (5, 3, 5, 5):
                for block in range(stop):
                    compute(card, streamer, block, wrong)
                streamer.withdraw()
            card.synchronize()

    assert wrong == []


def test_the_imagined_card_notices_a_copy_that_does_not_wait(imagine: Callable[[int], Card]) -> None:
    wrong: list[str] = []
    for seed in range(ORDERS):
        with imagine(seed) as card:
            streamer = streamer_on(card, 5, scratches=1)
            # A scratch that is never waited for, as if it were always free.
            forgotten = Event(card)
            forgotten.record = lambda *_: None  # type: ignore[method-assign]
            streamer._released = [cast("Any", forgotten)]
            for block in [*range(5)] * 4:
                compute(card, streamer, block, wrong)
            card.synchronize()

    assert wrong != []

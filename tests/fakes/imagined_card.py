"""A card that does what it is asked as late as it may: streams and events of CUDA's meaning, played by a random order.

Copies are queued on the stream that is current and done when the player picks them; only streams' own order and
events hold them back. Whatever a program forgot to wait for goes wrong in one order or another.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Record:
    """One moment of a stream."""

    def __init__(self) -> None:
        self.reached = False


class Stream:
    """Work in order."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.queue: deque[Callable[[], bool]] = deque()
        card.streams.append(self)

    def wait_event(self, event: Event) -> None:
        record = event.record_seen
        # An event that was never recorded holds nothing back.
        if record is not None:
            self.queue.append(lambda: record.reached)

    def wait_stream(self, other: Stream) -> None:
        event = Event(self.card)
        event.record(other)
        self.wait_event(event)


class Event:
    """The last moment that was recorded."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.record_seen: Record | None = None

    def record(self, stream: Stream | None = None) -> None:
        record = self.record_seen = Record()

        def reach() -> bool:
            record.reached = True
            return True

        (stream or self.card.current).queue.append(reach)

    def synchronize(self) -> None:
        record = self.record_seen
        while record is not None and not record.reached:
            self.card.play()


class Card(TorchDispatchMode):
    """Queues copies and clones instead of doing them."""

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.random = random.Random(seed)
        self.streams: list[Stream] = []
        self.current = Stream(self)

    @contextmanager
    def stream(self, chosen: Stream) -> Iterator[None]:
        before, self.current = self.current, chosen
        try:
            yield
        finally:
            self.current = before

    def later(self, work: Callable[[], object]) -> None:
        """Queue *work* on the current stream."""

        def done() -> bool:
            work()
            return True

        self.current.queue.append(done)

    def play(self) -> None:
        """Let one stream that is not held back do its next piece of work."""
        waiting = [stream for stream in self.streams if stream.queue]
        self.random.shuffle(waiting)
        for stream in waiting:
            if stream.queue[0]():
                stream.queue.popleft()
                return
        assert not waiting, "every stream waits for another"

    def synchronize(self, _device: object = None) -> None:
        while any(stream.queue for stream in self.streams):
            self.play()

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten.copy_.default:
            target, source = args[:2]
            self.later(lambda: _copied(target, source))
            return target
        if func is torch.ops.aten.clone.default:
            made = torch.empty_like(args[0])
            self.later(lambda: _copied(made, args[0]))
            return made
        return func(*args, **(kwargs or {}))


def _copied(target: Tensor, source: Tensor) -> None:
    # Done by hand: the card would put it off again.
    target.numpy()[...] = source.numpy()


def check(buffer: Tensor, value: int, wrong: list[str], label: str) -> None:
    """Note in *wrong* when *buffer* is not all *value*."""
    if not bool((buffer == value).all()):
        wrong.append(f"{label}: {sorted(set(buffer.tolist()))} where {value} belongs")

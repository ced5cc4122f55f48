"""Blocks in host memory, and making the buffers that hold them so that a failed load leaves none behind."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor

from undercard.engine.weights.codecs import Codec
from undercard.engine.weights.pinned import PinnedBuffer

MAKERS = 8
"""Threads that make the buffers that stay."""


@dataclass(slots=True)
class Kept:
    """One block in host memory."""

    buffer: PinnedBuffer
    used_bytes: int
    codec: Codec
    """Its own: a block that cannot be packed is kept as it is, and those of a mixed file differ."""

    @property
    def tensor(self) -> Tensor:
        """The bytes that are used."""
        return self.buffer.tensor[: self.used_bytes]


class Making:
    """Makes buffers in threads, and closes every one of them when the context ends in an exception.

    Touching memory takes as many threads as reading does.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = ThreadPoolExecutor(MAKERS, "pin")
        self._begun: list[Future[PinnedBuffer]] = []

    def begin(self, size_bytes: int) -> Future[PinnedBuffer]:
        """Begin to make a buffer."""
        self._begun.append(self._pool.submit(PinnedBuffer, size_bytes, self._device))
        return self._begun[-1]

    def make(self, size_bytes: int) -> PinnedBuffer:
        """Make a buffer now."""
        return self.begin(size_bytes).result()

    def __enter__(self) -> Making:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        if kind is None:
            return
        for made in self._begun:
            if not made.cancelled() and made.exception() is None:
                made.result().close()

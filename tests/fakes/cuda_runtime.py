"""The part of the CUDA runtime that registers host memory, counted: PinnedBuffer runs whole on the CPU."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class Runtime:
    """Stands in for `torch.cuda.cudart()`."""

    registered: dict[int, int] = field(default_factory=dict)
    """Address → bytes."""
    most: int = 0
    """Buffers that were registered at once."""
    largest: int = 0
    """Bytes of the largest of them."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def cudaHostRegister(self, address: int, size_bytes: int, _flags: int) -> int:  # noqa: N802 - CUDA's name
        with self.lock:
            assert address not in self.registered, "registered twice"
            self.registered[address] = size_bytes
            self.most = max(self.most, len(self.registered))
            self.largest = max(self.largest, size_bytes)
        return 0

    def cudaHostUnregister(self, address: int) -> int:  # noqa: N802 - CUDA's name
        with self.lock:
            del self.registered[address]
        return 0

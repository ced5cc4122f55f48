"""Measures how fast pinned host memory reaches the first visible card; run as a child, it prints bytes a second."""

from __future__ import annotations

import statistics
import sys
import time

BUFFER_BYTES = 256_000_000
"""About one block of the transformer as it is stored, which is what streaming copies at a time."""
COPIES = 5


def measured_rate() -> float:
    """Return bytes a second, the median of five copies of 256 MB.

    Raises:
        RuntimeError: there is no card, or no memory.
    """
    import torch

    host = torch.empty(BUFFER_BYTES, dtype=torch.uint8, pin_memory=True)
    card = torch.empty(BUFFER_BYTES, dtype=torch.uint8, device="cuda")
    rates = []
    # The first copy wakes the link, which saves power when idle.
    for _ in range(COPIES + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        card.copy_(host, non_blocking=True)
        torch.cuda.synchronize()
        rates.append(BUFFER_BYTES / (time.perf_counter() - start))
    return statistics.median(rates[1:])


if __name__ == "__main__":
    sys.stdout.write(f"{measured_rate()}\n")

"""Times how long a block takes to decode on a card, in every storage format, and to add a LoRA to.

    python -m benchmarks.decode [--rank 64]

A block of Qwen-Image-Edit without its modulation: 226.5 million weights in twelve matrices, of random bytes. Prints a
table and keeps it in benchmarks/results/decode.<card>.json.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks import engine_meter
from benchmarks.engine import slug
from benchmarks.engine_machine import this_machine
from benchmarks.engine_rows import RESULTS
from undercard.engine import formats
from undercard.engine.formats import Shape, format_named, stored_bytes

WIDTH, TINY_WIDTH = 3072, 256
ROUNDS = 20


def shapes(width: int) -> list[Shape]:
    """Return the matrices of a block: projections of both streams, and their feed-forward."""
    return [(width, width)] * 8 + [(4 * width, width), (width, 4 * width)] * 2


def measure(width: int, rank: int) -> dict[str, dict[str, float]]:
    """Return milliseconds and bytes of a block in each format, and the milliseconds that a LoRA of *rank* adds."""
    device = engine_meter.device()
    outs = [torch.empty(shape, dtype=torch.bfloat16, device=device) for shape in shapes(width)]
    found = {name: _format(name, outs) for name in formats.names()}
    factors = [(torch.zeros(len(out), rank).to(out), torch.zeros(rank, out.shape[1]).to(out)) for out in outs]

    def add() -> None:
        for out, (up, down) in zip(outs, factors, strict=True):
            out.addmm_(up, down)

    return found | {f"a LoRA of rank {rank}": {"ms": _milliseconds(add), "mb": 0.0}}


def _format(name: str, outs: list[Tensor]) -> dict[str, float]:
    each = format_named(name)
    sizes: list[Shape] = [(out.shape[0], out.shape[1]) for out in outs]
    parts = [
        {part: _noise(shape, dtype, outs[0].device) for part, (shape, dtype) in each.parts(size).items()}
        for size in sizes
    ]

    def decode() -> None:
        for given, out in zip(parts, outs, strict=True):
            each.decode(given, out)

    return {"ms": _milliseconds(decode), "mb": round(sum(stored_bytes(each, size) for size in sizes) / 1e6, 1)}


def _noise(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return random bytes; what they mean does not change how long they take."""
    raw = torch.randint(0, 256, (math.prod(shape) * dtype.itemsize,), dtype=torch.uint8, device=device)
    return raw.view(dtype).view(shape)


def _milliseconds(work: Callable[[], None]) -> float:
    """Return what *work* takes, warm, from its first launch to its last end."""
    work()
    with engine_meter.lap() as lap:
        for _ in range(ROUNDS):
            work()
    return round(1000 * lap.seconds / ROUNDS, 3)


def main() -> None:
    """Measure, print and keep what was measured; without a card, try the script on small matrices."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rank", type=int, default=64, help="of the LoRA; Lightning's is 64")
    given = parser.parse_args()
    on_card = torch.cuda.is_available()
    rows = measure(WIDTH if on_card else TINY_WIDTH, given.rank)
    machine = this_machine()
    table = Table("format", "MB a block", "ms a block", title=f"{machine.gpu or 'no card'} · decoding a block to bf16")
    for name, row in sorted(rows.items(), key=lambda item: item[1]["ms"]):
        table.add_row(name, f"{row['mb']:.1f}", f"{row['ms']:.3f}")
    Console(width=100).print(table)
    if on_card:
        path = RESULTS / f"decode.{slug(machine.gpu)}.json"
        path.write_text(json.dumps({"machine": machine.model_dump(), "rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

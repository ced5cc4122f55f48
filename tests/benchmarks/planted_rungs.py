"""Stands where benchmarks/engine_ours.py does: a rung that nobody measured takes 6 GB, and 4 for a second reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.engine_rows import Row
from tests.benchmarks.planted import row

RUNGS = ("bf16",)


def measure_ours(
    rung_name: str, caps_gb: Sequence[float | None], references: Sequence[int], checkpoint: Path
) -> Iterator[Row]:
    """Yield invented rows, or say that memory ran out."""
    for cap_gb in caps_gb:
        for count in references:
            if cap_gb is not None and cap_gb < 4 * count + 2:
                yield Row(rung=rung_name, cap_gb=cap_gb, references=count, out_of_memory=True, note="no memory")
            else:
                yield row(rung_name, cap_gb, 0.3, count)

"""Stands where benchmarks/engine_ours.py will: a rung that fits from 6 GB on, and figures that nobody measured."""

from __future__ import annotations

from pathlib import Path

from benchmarks.engine_rows import Row
from tests.benchmarks.planted import row
from undercard.errors import OutOfMemory

RUNGS = ("bf16",)


def measure_ours(rung_name: str, cap_gb: float | None, references: int, checkpoint: Path) -> Row:
    """Return an invented row, or say that memory ran out."""
    if cap_gb is not None and cap_gb < 6:
        raise OutOfMemory("the decode asked for 1.7 GB of the 1.2 GB left", stage="decode")
    return row(rung_name, cap_gb, 0.3, references)

"""How far the planner's predictions are from what a benchmark measured: before any run, and once it knows one.

    python -m benchmarks.engine_foresight benchmarks/results/engine.h100.json

Before: what each row was told from arithmetic alone. After: what the planner says once the rung's backend has been run
under one other cap, with the same number of references; under every other cap in turn.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine_rows import GB, Results, Row, load
from undercard.backends import Needs, Rung, Work
from undercard.hardware.devices import Device, Gpu
from undercard.planning import measurements
from undercard.planning.measurements import Measurement


@dataclass(frozen=True, slots=True)
class Foresight:
    """How far predictions were off, as shares of what was measured."""

    seconds: tuple[float, ...]
    vram: tuple[float, ...]

    def __str__(self) -> str:
        return f"seconds {_told(self.seconds)}; VRAM {_told(self.vram)}"


def before(results: Results) -> Foresight:
    """Return how far the planner was off before any run."""
    rows = _foretold(results)
    return _against(rows, [_needs(row) for row in rows])


def after(results: Results) -> Foresight:
    """Return how far the planner is off once it knows one run of the same backend, under another cap."""
    rows, corrected = [], []
    for row in _foretold(results):
        for known in _foretold(results):
            if known.rung == row.rung and known.references == row.references and known.cap_gb != row.cap_gb:
                rows.append(row)
                corrected.append(_corrected(results, row, known))
    return _against(rows, corrected)


def _foretold(results: Results) -> list[Row]:
    return [row for row in results.rows if row.predicted_s and row.s_per_keyframe and row.peak_vram_gb]


def _against(rows: Sequence[Row], foreseen: Iterable[Needs]) -> Foresight:
    pairs = list(zip(rows, foreseen, strict=True))
    return Foresight(
        seconds=tuple(needs.seconds / (row.s_per_keyframe or 1.0) - 1 for row, needs in pairs),
        vram=tuple(needs.vram_bytes / GB / (row.peak_vram_gb or 1.0) - 1 for row, needs in pairs),
    )


def _needs(row: Row) -> Needs:
    return Needs(int((row.predicted_vram_gb or 0) * GB), 0, row.predicted_s or 0.0)


def _corrected(results: Results, row: Row, known: Row) -> Needs:
    """Return what the planner says of *row* when it remembers *known*."""
    card = Gpu(0, results.machine.gpu, int(results.machine.vram_gb * GB), 0, (0, 0))
    device, work = Device(1, 0, gpus=(card,)), Work(results.size, row.references)
    took = Needs(int((known.peak_vram_gb or 0) * GB), 0, known.s_per_keyframe or 0.0)
    remembered = Measurement(known.rung, str(known.cap_gb), card.name, work, _needs(known), took)
    rung = Rung(row.rung, row.exact, _needs(row), str(row.cap_gb))
    return measurements.corrected(rung, work, device, [remembered]).needs


def _told(errors: Sequence[float]) -> str:
    if not errors:
        return "not measured"
    sizes = [abs(error) for error in errors]
    return f"{statistics.median(sizes):.0%} off, at most {max(sizes):.0%}, of {len(errors)}"


def main() -> None:
    """Print both for the results that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    results = load(parser.parse_args().results)
    print(f"before any run: {before(results)}")
    print(f"after one run:  {after(results)}")


if __name__ == "__main__":
    main()

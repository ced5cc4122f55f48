"""Measures one mode or rung in this process and appends its rows to a file, one JSON object a line.

    python -m benchmarks.engine_child NAME --checkpoint DIR --cap-gb 10 --references 1 2 --out rows.jsonl

benchmarks.engine starts one for everything that it measures, so that no figure depends on what ran before.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from benchmarks.engine_rows import TODAY, OurRungs, Row

OURS = "benchmarks.engine_ours"


def our_rungs() -> OurRungs | None:
    """Return the module that measures undercard's own rungs, or None where there is none yet."""
    if importlib.util.find_spec(OURS) is None:
        return None
    return cast("OurRungs", importlib.import_module(OURS))


def measure(name: str, cap_gb: float | None, references: list[int], checkpoint: Path) -> Iterator[Row]:
    """Measure *name* under *cap_gb* and yield a row for each number of references, as soon as it is measured.

    Raises:
        ValueError: there is no such mode or rung.
    """
    from benchmarks import engine_meter

    engine_meter.cap_allocator(cap_gb)
    if name in TODAY:
        from benchmarks.engine_baselines import measure_baseline

        yield from measure_baseline(name, cap_gb, references, checkpoint)
        return
    ours = our_rungs()
    if ours is None or name not in ours.RUNGS:
        known = (*TODAY, *(ours.RUNGS if ours else ()))
        raise ValueError(f"{name!r} is no mode and no rung; use one of {', '.join(known)}")
    for count in references:
        yield _measure_ours(ours, name, cap_gb, count, checkpoint)


def _measure_ours(ours: OurRungs, name: str, cap_gb: float | None, references: int, checkpoint: Path) -> Row:
    import torch

    from undercard.errors import OutOfMemory

    try:
        return ours.measure_ours(name, cap_gb, references, checkpoint)
    except (OutOfMemory, torch.OutOfMemoryError) as exc:
        note = str(exc).partition(" GPU ")[0]
        return Row(rung=name, cap_gb=cap_gb, references=references, out_of_memory=True, note=note)


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", metavar="NAME", help=f"{', '.join(TODAY)}, or a rung of undercard")
    parser.add_argument("--checkpoint", type=Path, required=True, help="a folder of benchmarks.engine_weights")
    parser.add_argument("--cap-gb", type=float, help="what the allocator may hold; the whole card if left out")
    parser.add_argument("--references", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    with given.out.open("a", encoding="utf-8") as file:
        for row in measure(given.name, given.cap_gb, given.references, given.checkpoint):
            file.write(row.model_dump_json() + "\n")
            # Whoever loses patience with the rest keeps this one.
            file.flush()


if __name__ == "__main__":
    main()

"""Measures one mode or rung in this process and appends its rows to a file, one JSON object a line.

    python -m benchmarks.engine_child NAME --checkpoint DIR --caps 6 10 --references 1 2 --out rows.jsonl

benchmarks.engine starts one for everything that it measures, so that no figure depends on what ran before.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import engine_ours
from benchmarks.engine_rows import TODAY, Row


def measure(name: str, caps_gb: Sequence[float | None], references: Sequence[int], checkpoint: Path) -> Iterator[Row]:
    """Measure *name* under each cap and yield a row for each number of references, as soon as it is measured.

    Raises:
        ValueError: there is no such mode or rung, or a mode of diffusers is asked for under several caps.
    """
    if name in TODAY:
        from benchmarks import engine_meter
        from benchmarks.engine_baselines import measure_baseline

        (cap_gb,) = caps_gb
        engine_meter.cap_allocator(cap_gb)
        yield from measure_baseline(name, cap_gb, references, checkpoint)
        return
    if name not in engine_ours.RUNGS:
        raise ValueError(f"{name!r} is no mode and no rung; use one of {', '.join((*TODAY, *engine_ours.RUNGS))}")
    yield from engine_ours.measure_ours(name, caps_gb, references, checkpoint)


def cap(text: str) -> float | None:
    """Read a cap: GB, or `all` for the whole card."""
    return None if text == "all" else float(text)


def asked(about: str) -> argparse.Namespace:
    """Read the command line of a program that measures; *about* says in its first line what."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("name", metavar="NAME", help="a mode of diffusers, a rung of undercard, or a backend")
    parser.add_argument("--checkpoint", type=Path, required=True, help="a folder of benchmarks.engine_weights")
    parser.add_argument("--caps", type=cap, nargs="+", default=[None], help="GB that the allocator may hold, or all")
    parser.add_argument("--references", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    """Measure what the command line says."""
    given = asked(__doc__ or "")
    with given.out.open("a", encoding="utf-8") as file:
        for row in measure(given.name, given.caps, given.references, given.checkpoint):
            file.write(row.model_dump_json() + "\n")
            # Whoever loses patience with the rest keeps this one.
            file.flush()


if __name__ == "__main__":
    main()

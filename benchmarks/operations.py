"""Times runs of films whose every keyframe and piece is there already, through Prefect.

    python -m benchmarks.operations             3, 200 and 500 keyframes
    python -m benchmarks.operations 50          only as many
    python -m benchmarks.operations --into x.json   not over the results that are kept

Prints a table and writes benchmarks/results/operations.json. A film has one keyframe a shot, at 128×72 by the previz,
and each shot is staged in its own way. All are seconds of a whole `undercard render LIST`: `first` renders everything,
`again` renders nothing, both with a server that is up; `alone` renders nothing and starts a server first.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TypedDict

from rich.console import Console
from rich.table import Table

from benchmarks.previz import machine

KEYFRAMES = (3, 200, 500)
RESULTS = Path(__file__).parent / "results" / "operations.json"
SIZE = "128x72"
HEADER = """\
title: Many keyframes
cast:
  ray: {name: Ray, corner: red}
  sol: {name: Sol, corner: blue}
shots:
"""
COMMAND = (sys.executable, "-c", "from undercard.cli.app import app; app()")


class Row(TypedDict):
    """What a film of so many keyframes took, in seconds."""

    keyframes: int
    first: float
    again: float
    alone: float


def shot_list(keyframes: int, seed: int = 0) -> str:
    """Return the YAML of a film with that many shots of one keyframe each, the same for the same *seed*."""
    chosen = random.Random(seed)
    return HEADER + "".join(_shot(number, chosen) for number in range(keyframes))


def _shot(number: int, chosen: random.Random) -> str:
    x, z = round(chosen.uniform(-1.5, 1.5), 3), round(chosen.uniform(-1.5, 1.5), 3)
    placed = f"ray: {{pose: guard, position: [{x}, {z}]}}, sol: {{pose: guard, position: [{round(x + 1.0, 3)}, {z}]}}"
    return (
        f"  - id: s{number}\n    length: 4\n    camera: wide\n    motion: hold\n"
        f"    keyframes:\n      - {{at: 0, poses: {{{placed}}}}}\n"
    )


def measure(folder: Path, keyframes: int) -> Row:
    """Time a film of that many *keyframes* in a *folder* of its own."""
    path = folder / f"{keyframes}.yaml"
    path.write_text(shot_list(keyframes), "utf-8")
    home = folder / "prefect"
    given = {
        **{name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"},
        "PREFECT_HOME": str(home),
        "UNDERCARD_STORE": str(folder / "store"),
    }
    render = [*COMMAND, "render", str(path), "--size", SIZE]
    # It starts the server that the next ones find.
    _timed([*COMMAND, "render", "data/shots/one_punch.yaml", "--size", SIZE], given)
    try:
        first, again = _timed(render, given), _timed(render, given)
    finally:
        _end_server(home)
    try:
        alone = _timed(render, given)
    finally:
        _end_server(home)
    return Row(keyframes=keyframes, first=first, again=again, alone=alone)


def _timed(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return round(time.perf_counter() - start, 2)


def _end_server(home: Path) -> None:
    server = json.loads((home / "undercard-server.json").read_bytes())
    os.kill(server["pid"], signal.SIGTERM)
    time.sleep(2.0)


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("keyframes", nargs="*", type=int, default=KEYFRAMES)
    parser.add_argument("--into", type=Path, default=RESULTS)
    given = parser.parse_args()
    rows = []
    for keyframes in given.keyframes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(Path(folder), keyframes))
    table = Table(*Row.__annotations__)
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    given.into.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Times `undercard plan` by the number of shots.

    python -m benchmarks.plan              100, 500 and 2,000 shots
    python -m benchmarks.plan 50           only as many
    python -m benchmarks.plan --into x.json   not over the results that are kept

Prints a table and writes benchmarks/results/plan.json. Two fighters box through every pose and every named camera, each
shot from places of its own, so that no staging repeats. `command` is the whole of `undercard plan LIST` in a process of
its own. `list` reads the shot list, `plan` plans the film and estimates every shot, and `staged` stages every keyframe
with its cameras and writes its prompt, as a run does and a plan of a film that was rendered before.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

from rich.console import Console
from rich.table import Table

from benchmarks.previz import machine
from undercard import settings
from undercard.hardware.devices import Device
from undercard.planning.plan import plan_film
from undercard.previz import cameras, poses
from undercard.production import estimate
from undercard.shotlist.load import load_shot_list

SHOTS = (100, 500, 2_000)
RESULTS = Path(__file__).parent / "results" / "plan.json"
HEADER = """\
title: Many shots
cast:
  ray: {name: Ray, corner: red}
  sol: {name: Sol, corner: blue}
shots:
"""


class Row(TypedDict):
    """What a number of shots took, in seconds."""

    shots: int
    command: float
    list: float
    plan: float
    staged: float


def shot_list(shots: int, seed: int = 0) -> str:
    """Return the YAML of a film with that many *shots*, the same for the same *seed*."""
    chosen = random.Random(seed)
    return HEADER + "".join(_shot(number, chosen) for number in range(shots))


def _shot(number: int, chosen: random.Random) -> str:
    camera, *punches = chosen.choice(cameras.names()), chosen.choice(poses.names()), chosen.choice(poses.names())
    x, z = round(chosen.uniform(-1.5, 1.5), 3), round(chosen.uniform(-1.5, 1.5), 3)
    transition = chosen.choice(("cut", "cut", "cut", "{kind: crossfade, frames: 6}", "{kind: dip, frames: 8}"))
    motion = chosen.choice(("pose", "pose", "hold", "crossfade"))
    first = f"ray: {{pose: guard, position: [{x}, {z}]}}, sol: {{pose: guard, position: [{round(x + 1.0, 3)}, {z}]}}"
    return (
        f"  - id: s{number}\n    length: 48\n    camera: {camera}\n    motion: {motion}\n"
        f"    transition: {transition if number else 'cut'}\n    keyframes:\n"
        f"      - {{at: 0, poses: {{{first}}}}}\n"
        f"      - {{at: 16, poses: {{ray: {punches[0]}}}}}\n"
        f"      - {{at: 32, poses: {{sol: {punches[1]}}}, camera: {chosen.choice(cameras.names())}}}\n"
    )


def measure(folder: Path, shots: int) -> Row:
    """Time a film of that many *shots*, the whole command first."""
    path = folder / f"{shots}.yaml"
    path.write_text(shot_list(shots), "utf-8")
    environment = {**os.environ, "UNDERCARD_STORE": str(folder / "store")}
    command = [sys.executable, "-c", "from undercard.cli.app import app; app()", "plan", str(path)]
    found = [time.perf_counter()]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    found.append(time.perf_counter())
    film = load_shot_list(path)
    found.append(time.perf_counter())
    plan = plan_film(film, Device(cores=os.cpu_count() or 1, host_bytes=0), settings.load(), backend="previz")
    estimate.total(plan, {})
    found.append(time.perf_counter())
    # Prompts are written for a backend that reads them, which need not run here.
    prompted = replace(plan, prompted=True)
    for shot in prompted.shots:
        prompted.keyframes(shot)
    found.append(time.perf_counter())
    seconds = [round(after - before, 2) for before, after in pairwise(found)]
    return Row(shots=shots, command=seconds[0], list=seconds[1], plan=seconds[2], staged=seconds[3])


def main() -> None:
    """Measure, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shots", type=int, nargs="*", default=SHOTS)
    parser.add_argument("--into", type=Path, default=RESULTS)
    asked = parser.parse_args()
    table = Table(title=f"undercard plan · {machine()['cpu']} · {machine()['cores']} cores")
    for heading in Row.__annotations__:
        table.add_column(heading, justify="right")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for shots in asked.shots:
            rows.append(measure(Path(folder), shots))
            table.add_row(*(str(value) for value in rows[-1].values()))
    Console().print(table)
    asked.into.parent.mkdir(exist_ok=True)
    asked.into.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

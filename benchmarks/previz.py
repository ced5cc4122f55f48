"""Times the previz renderer and its memory by size, each in a process of its own.

    python -m benchmarks.previz

Prints a table and writes benchmarks/results/previz.json.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from rich.console import Console
from rich.table import Table

from undercard import settings
from undercard.domain.staging import Aim, Look, PlacedFighter, Staging
from undercard.hardware.host_memory import peak_host_bytes
from undercard.hardware.probe import this_device
from undercard.previz import cameras, poses
from undercard.previz.render import draw

SIZES = ((512, 288), (640, 360), (1024, 576), (1920, 1080))
REPEATS = 7
RESULTS = Path(__file__).parent / "results" / "previz.json"


class Row(TypedDict):
    """What one size took."""

    size: str
    seconds: float
    """Median of single frames, one after another."""
    seconds_in_step: float
    """A frame, while two threads draw: what a film takes."""
    core_seconds: float
    first_seconds: float
    """The first frame of a process: kernels from the disk's cache, the arena built."""
    peak_bytes: int


def stagings() -> list[Staging]:
    """Return a jab on its way out, seen by cameras with and without depth of field."""
    red = PlacedFighter(
        "Rojas", "red", Look("#b97a56", "#b01018", "#c01018", "#7a0a10", "#1a120c"), "orthodox",
        poses.pose("jab"), (-0.62, 0.05), 90.0,
    )  # fmt: skip
    blue = PlacedFighter(
        "Okafor", "blue", Look("#5a3420", "#1030b0", "#1030c8", "#e8e8e8", "#0a0806"), "southpaw",
        poses.pose("guard"), (0.62, -0.05), -90.0,
    )  # fmt: skip
    names = ("wide", "two_shot", "low", "ringside")
    out = []
    for index in range(REPEATS + 1):
        fighters = (replace(red, lead_aim=Aim(head=index / REPEATS)), blue)
        out.append(Staging(cameras.camera(names[index % len(names)], fighters), fighters, "stage"))
    return out


def measure(width: int, height: int) -> Row:
    """Draw in this process and say what it took."""
    size = (width, height)
    first, *rest = stagings()
    started = time.perf_counter()
    draw(first, size, 1)
    first_seconds = time.perf_counter() - started
    walls, cores = [], []
    for staging in rest:
        started, used = time.perf_counter(), time.process_time()
        draw(staging, size, 1)
        walls.append(time.perf_counter() - started)
        cores.append(time.process_time() - used)
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        # Only the picture is kept, as a film does: every map of every frame would count as the renderer's memory.
        list(pool.map(lambda staging: draw(staging, size, 1).image.nbytes, rest))
    in_step = (time.perf_counter() - started) / len(rest)
    return Row(
        size=f"{width}x{height}",
        seconds=round(statistics.median(walls), 3),
        seconds_in_step=round(in_step, 3),
        core_seconds=round(statistics.median(cores), 3),
        first_seconds=round(first_seconds, 3),
        peak_bytes=peak_host_bytes(),
    )


def measured_apart(width: int, height: int) -> Row:
    """Measure in a fresh process, so that memory is that of this size alone."""
    command = [sys.executable, "-m", "benchmarks.previz", str(width), str(height)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    row: Row = json.loads(done.stdout)
    return row


def machine() -> dict[str, str | int | float]:
    """Describe this machine, and how busy it was: with others at work only the core seconds mean much."""
    device = this_device(settings.load())
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": device.cores,
        "host_bytes": device.host_bytes,
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }


def main() -> None:
    """Measure every size, print the table, write the results."""
    rows = [measured_apart(width, height) for width, height in SIZES]
    table = Table(title=f"previz · {machine()['cpu']} · {machine()['cores']} cores")
    for heading in ("size", "seconds a frame", "two threads", "core seconds", "first frame", "peak memory"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row["size"],
            f"{row['seconds']:.2f}",
            f"{row['seconds_in_step']:.2f}",
            f"{row['core_seconds']:.2f}",
            f"{row['first_seconds']:.1f}",
            f"{row['peak_bytes'] / 1e6:.0f} MB",
        )
    Console().print(table)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine(), "sizes": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
    else:
        main()

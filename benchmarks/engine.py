"""Measures Qwen-Image-Edit keyframes under caps of VRAM: undercard's rungs beside what users of diffusers have today.

    python -m benchmarks.engine [--caps 3,6,8,10,12,16,24] [--only NAME …] [--minutes N] [--quick] [--tiny]

Each mode of diffusers under each cap, and each rung of undercard, is measured in a process of its own, on random
weights of the true sizes (benchmarks.engine_weights). Rows are kept in benchmarks/results/engine.<machine>.json as they
come; started again, it measures what is missing.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.engine_child import cap
from benchmarks.engine_machine import this_machine
from benchmarks.engine_ours import RUNGS
from benchmarks.engine_rows import (
    RESULTS,
    SIZE,
    STEPS,
    TEXT_TOKENS,
    TINY_SIZE,
    TINY_TEXT_TOKENS,
    TODAY,
    Results,
    Row,
    load,
    save,
)
from benchmarks.engine_table import print_table
from undercard.hardware.devices import ALLOCATOR

CAPS_GB = (3.0, 6.0, 8.0, 10.0, 12.0, 16.0, 24.0)
QUICK_CAPS_GB = (3.0, 10.0)
WHOLE = ("resident", "model-offload")
"""Modes that need all weights on the card at once: they fit above some cap and never below."""
UNTILED_GB = 8.0
"""From here on nothing that streams has to tile the VAE, and more memory changes nothing."""
LIMIT_SECONDS = 300.0
"""For one process. The slowest, sequential offload, takes about a hundred."""
LEAST_SECONDS = 30.0
"""Less time than this is not worth starting a process in."""
BUILD = Path("build")


class TimeIsUp(Exception):
    """The minutes that the benchmark was given are over."""


@dataclass(slots=True)
class Driver:
    """Starts the processes and keeps what they measured."""

    results: Results
    path: Path
    checkpoint: Path
    deadline: float
    """On the monotonic clock."""
    again: bool = False
    """Measure what there is a row for already, once."""
    child: str = "benchmarks.engine_child"
    """The program that measures."""
    _done: set[tuple[str, float | None, int]] = field(default_factory=set)

    def rows(self, name: str, caps_gb: Sequence[float | None], references: Sequence[int]) -> list[Row]:
        """Return a row for each cap and number of references, measured now, in one process, or before.

        Raises:
            TimeIsUp: there is no time left to measure it.
        """
        asked = [(cap_gb, count) for cap_gb in caps_gb for count in references]
        missing = [(cap_gb, count) for cap_gb, count in asked if not self._has(name, cap_gb, count)]
        if missing:
            caps, counts = (list(dict.fromkeys(each)) for each in zip(*missing, strict=True))
            self._measure(name, caps, counts)
        found = (self.results.row(name, cap_gb, count) for cap_gb, count in asked)
        return [row for row in found if row is not None]

    def _has(self, name: str, cap_gb: float | None, references: int) -> bool:
        if self.again and (name, cap_gb, references) not in self._done:
            return False
        row = self.results.row(name, cap_gb, references)
        return row is not None and row.settled

    def _measure(self, name: str, caps_gb: Sequence[float | None], references: Sequence[int]) -> None:
        left = self.deadline - time.monotonic()
        if left < LEAST_SECONDS:
            raise TimeIsUp
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "rows.jsonl"
            trouble = self._run(name, caps_gb, references, out, min(left, LIMIT_SECONDS * len(caps_gb)))
            lines = out.read_text("utf-8").splitlines() if out.exists() else []
        rows = {row.key: row for row in map(Row.model_validate_json, lines)}
        if not rows and self.deadline - time.monotonic() < 1:
            raise TimeIsUp
        for cap_gb, count in ((cap_gb, count) for cap_gb in caps_gb for count in references):
            failed = Row(rung=name, cap_gb=cap_gb, references=count, note=trouble or "gave no row")
            rows.setdefault(failed.key, failed)
            self._done.add(failed.key)
        self.results = self.results.with_rows(rows.values())
        save(self.results, self.path)
        for row in rows.values():
            print(said(row), flush=True)
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)

    def _run(
        self,
        name: str,
        caps_gb: Sequence[float | None],
        references: Sequence[int],
        out: Path,
        limit_seconds: float,
    ) -> str | None:
        """Run the process; return what went wrong with it, or None."""
        command = [sys.executable, "-m", self.child, name, "--checkpoint", str(self.checkpoint)]
        command += ["--caps", *("all" if cap_gb is None else str(cap_gb) for cap_gb in caps_gb)]
        command += ["--references", *map(str, references), "--out", str(out)]
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        if name not in TODAY:
            # As in the process that a session starts.
            environment |= ALLOCATOR
        try:
            done = subprocess.run(
                command, env=environment, timeout=limit_seconds, capture_output=True, text=True, check=False
            )
        except subprocess.TimeoutExpired:
            return f"not done after {limit_seconds:.0f} s"
        if done.returncode == -9:
            return "killed, as happens where host memory runs out"
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr, flush=True)
            # Tracebacks end with the error at the margin; what it says may go on for lines.
            errors = [line for line in done.stderr.splitlines() if re.match(r"[\w.]+: ", line)]
            return f"failed: {errors[-1][:200]}" if errors else f"ended with status {done.returncode}"
        return None


def measure_today(driver: Driver, mode: str, caps_gb: Sequence[float | None], references: Sequence[int]) -> None:
    """Measure one mode of diffusers where its figures change, not under every cap.

    What needs all weights on the card is measured on the whole card, then under smaller caps until it no longer fits.
    What streams is measured under the smallest cap that it fits, and once more where the VAE need not tile.
    """
    caps = [cap_gb for cap_gb in caps_gb if cap_gb is not None]
    if mode in WHOLE:
        for cap_gb in (None, *sorted(caps, reverse=True)):
            if not all(row.s_per_keyframe for row in driver.rows(mode, [cap_gb], references)):
                return
        return
    fits = False
    for cap_gb in sorted(caps):
        if fits and cap_gb < UNTILED_GB:
            continue
        rows = driver.rows(mode, [cap_gb], references)
        fits = all(row.s_per_keyframe for row in rows)
        # What fails for another reason than memory fails under every cap.
        if not all(row.settled for row in rows) or (fits and cap_gb >= UNTILED_GB):
            return


def measure_rung(driver: Driver, rung: str, caps_gb: Sequence[float | None], references: Sequence[int]) -> None:
    """Measure one of undercard's rungs under every cap, in one process."""
    driver.rows(rung, caps_gb, references)


def said(row: Row) -> str:
    """Return what one row says, in a line."""
    cap = "whole card" if row.cap_gb is None else f"{row.cap_gb:g} GB"
    what = "out of memory" if row.out_of_memory else row.note
    if row.s_per_keyframe is not None and row.s_per_step is not None:
        what = f"{row.s_per_step:.3f} s a step, {row.s_per_keyframe:.2f} s a keyframe"
    return f"{row.rung} · {cap} · {row.references} reference{'s' if row.references != 1 else ''}: {what}"


def slug(gpu: str) -> str:
    """Return what a file of results calls a card: `h100` for `NVIDIA H100 80GB HBM3`."""
    words = re.findall(r"\w+", gpu.lower())
    return "-".join(word for word in words if not re.fullmatch(r"nvidia|geforce|\d+gb|hbm\w*|pcie|sxm\w*", word))


def begin(given: argparse.Namespace, kind: str = "engine", text_tokens: int = TEXT_TOKENS) -> tuple[Results, Path]:
    """Return the results of *kind* to add to, and their file.

    Raises:
        SystemExit: the file has rows of other software, which must not stand beside new ones.
    """
    machine = this_machine()
    size, tokens = (TINY_SIZE, TINY_TEXT_TOKENS) if given.tiny else (SIZE, text_tokens)
    fresh = Results(machine=machine, size=size, text_tokens=tokens, steps=STEPS)
    name = f"{kind}.{given.machine or slug(machine.gpu)}.json"
    path = BUILD / f"tiny.{name}" if given.tiny else RESULTS / name
    if given.fresh or not path.exists():
        return fresh, path
    known = load(path)
    if (known.machine.gpu, known.machine.software) != (machine.gpu, machine.software):
        was = f"{known.machine.gpu} with {known.machine.software}"
        raise SystemExit(f"{path} was measured on {was}; pass --fresh to begin anew, or --machine for another file")
    return known, path


def make_checkpoint(given: argparse.Namespace) -> Path:
    """Return a checkpoint of random weights, written first if it is not there; a process of its own holds the card."""
    folder: Path = given.checkpoint or BUILD / ("engine-weights-tiny" if given.tiny else "engine-weights")
    whole = (folder / "model_index.json").exists() and (not given.text_encoder or (folder / "text_encoder").is_dir())
    if not whole:
        command = [sys.executable, "-m", "benchmarks.engine_weights", str(folder)]
        command += ["--text-encoder"] * given.text_encoder + ["--tiny"] * given.tiny
        subprocess.run(command, check=True)
    return folder


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"{', '.join(TODAY)}, or rungs of undercard")
    parser.add_argument("--caps", help="GB, as in 3,10,all; 3,6,8,10,12,16,24 if left out")
    parser.add_argument("--references", type=int, nargs="+", help="how many reference images; 1 2 if left out")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so long with what there is")
    parser.add_argument("--quick", action="store_true", help="caps of 3 and 10 GB and one reference")
    parser.add_argument("--again", action="store_true", help="measure what has a row already")
    parser.add_argument("--fresh", action="store_true", help="forget the rows of before")
    parser.add_argument("--tiny", action="store_true", help="two blocks at 64 px, to try the script itself")
    parser.add_argument("--checkpoint", type=Path, help="folder of benchmarks.engine_weights; made in build/ if not")
    parser.add_argument("--text-encoder", action="store_true", help="give the checkpoint a text encoder, 16.6 GB")
    parser.add_argument("--machine", help="name in the results' file; the card's if left out")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, keep it, and print the table."""
    given = parsed(arguments)
    started = time.monotonic()
    names: Sequence[str] = given.only or (*TODAY, *RUNGS)
    unknown = set(names) - {*TODAY, *RUNGS}
    if unknown:
        raise SystemExit(f"no mode and no rung: {', '.join(sorted(unknown))}; use {', '.join((*TODAY, *RUNGS))}")
    caps: Sequence[float | None] = QUICK_CAPS_GB if given.quick else CAPS_GB
    if given.caps:
        caps = [cap(text) for text in given.caps.split(",")]
    references = given.references or ([1] if given.quick else [1, 2])
    results, path = begin(given)
    driver = Driver(results, path, make_checkpoint(given), started + 60 * given.minutes, given.again)
    try:
        # What is new comes first: time may run out.
        for name in sorted(names, key=lambda name: name in TODAY):
            (measure_today if name in TODAY else measure_rung)(driver, name, caps, references)
    except TimeIsUp:
        print(f"{given.minutes:g} minutes are over; start it again for the rest", flush=True)
    print_table(driver.results)


if __name__ == "__main__":
    main()

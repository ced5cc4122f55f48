"""Measures a keyframe through each backend, opened as a run opens it, under one cap of VRAM.

    python -m benchmarks.backends [--only NAME …] [--caps 10] [--comfyui URL] [--tiny]

Every backend renders the same requests, prompts encoded and pictures decoded, with the same random weights
(benchmarks.engine_weights --text-encoder) and in a process of its own; bf16 comes first, and the others' pictures are
compared with its. Rows are kept in benchmarks/results/backends.<machine>.json as they come. A ComfyUI must run already,
with the files of benchmarks.comfyui_models, beside a benchmarks.tenant that leaves it a card of the cap's size.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.engine import Driver, TimeIsUp, begin, make_checkpoint
from benchmarks.engine_child import cap
from benchmarks.engine_table import print_table
from undercard import backends, settings
from undercard.hardware.probe import this_device
from undercard.models.weights import QUANTISED

NAMES = tuple(name for name in backends.names() if not backends.draws_itself(name))
"""Of every backend that holds a model."""
FIRST = "bf16"
"""The others' pictures are compared with its."""
TEXT_TOKENS = 553
"""Of a request's prompt, its template and its picture, with the byte-level tokenizer of engine_weights."""
CAP_GB = 10.0


def prepare(names: Sequence[str], checkpoint: Path) -> None:
    """Write the file of every quantised backend among *names*, in processes whose memory is not measured."""
    if files := [name for name in names if name in QUANTISED]:
        command = [sys.executable, "-m", "benchmarks.quantised_weights", str(checkpoint), *files]
        subprocess.run(command, check=True)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", default=NAMES, choices=NAMES, help=", ".join(NAMES))
    parser.add_argument("--caps", help="GB, as in 3,10,all; 10 if left out")
    parser.add_argument("--comfyui", metavar="URL", help="where a ComfyUI runs; as the settings say if left out")
    parser.add_argument("--minutes", type=float, default=30.0, help="stop after so long with what there is")
    parser.add_argument("--again", action="store_true", help="measure what has a row already")
    parser.add_argument("--fresh", action="store_true", help="forget the rows of before")
    parser.add_argument("--tiny", action="store_true", help="two blocks at 64 px, to try the script itself")
    parser.add_argument("--checkpoint", type=Path, help="folder of benchmarks.engine_weights; made in build/ if not")
    parser.add_argument("--machine", help="name in the results' file; the card's if left out")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, keep it, and print the table."""
    given = parsed(arguments)
    # A request needs its prompt encoded.
    given.text_encoder = True
    started = time.monotonic()
    caps: list[float | None] = [cap(text) for text in given.caps.split(",")] if given.caps else [CAP_GB]
    results, path = begin(given, "backends", TEXT_TOKENS)
    if given.comfyui:
        os.environ["UNDERCARD_COMFYUI"] = given.comfyui
    if not this_device(settings.load()).gpus:
        os.environ["UNDERCARD_DEVICE"] = "cpu"
    checkpoint = make_checkpoint(given)
    driver = Driver(results, path, checkpoint, started + 60 * given.minutes, given.again, "benchmarks.backends_child")
    prepare(given.only, checkpoint)
    # One store for all of them: what the first has encoded, the others of its kind find.
    with tempfile.TemporaryDirectory() as store:
        os.environ["UNDERCARD_STORE"] = store
        try:
            for name in sorted(given.only, key=lambda name: name != FIRST):
                for cap_gb in caps:
                    driver.rows(name, [cap_gb], [1])
        except TimeIsUp:
            print(f"{given.minutes:g} minutes are over; start it again for the rest", flush=True)
    print_table(driver.results)


if __name__ == "__main__":
    main()

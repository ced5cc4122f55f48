"""Times the first picture of a checkpoint that is not in the page cache, beside a plain read of the same files.

    python -m benchmarks.engine_cold --checkpoint DIR [--rung bf16] [--cap-gb 10]

The folder must lie on a disk, not in memory. What is read of it is put out of the page cache before each cold run, and
looked at page by page, since a figure of files that stayed would say nothing. The first run is warm: it compiles the
kernels and computes the tables, once a machine. Keeps all in benchmarks/results/engine_cold.<card>.json.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.engine import slug
from benchmarks.engine_machine import this_machine
from benchmarks.engine_rows import GB, RESULTS, Row

RUNGS = ("bf16", "fp8", "int8", "nf4")
"""Those that read the checkpoint itself; others have a file of their own."""
READ_BY = ("transformer", "vae")
"""What a first picture reads, embeddings given."""
READERS = 16
"""Threads, as the engine has."""
CHUNK_BYTES = 1 << 26
MOST_CACHED = 0.01


def files_of(checkpoint: Path) -> list[Path]:
    """Return the weights that a first picture reads."""
    return sorted(path for folder in READ_BY for path in (checkpoint / folder).glob("*.safetensors"))


def evict(files: Sequence[Path]) -> None:
    """Put *files* out of the page cache.

    Raises:
        SystemExit: they are still there, as on a file system that lives in memory.
    """
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if (share := cached(files)) > MOST_CACHED:
        raise SystemExit(
            f"{share:.0%} of {files[0].parent.parent} stays in the page cache; put the checkpoint on a disk"
        )


def cached(files: Sequence[Path]) -> float:
    """Return the share of *files* that the page cache holds."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    held = pages = 0
    for path in files:
        mapped = np.memmap(path, np.uint8, mode="r")
        resident = np.zeros(-(-len(mapped) // mmap.PAGESIZE), np.uint8)
        if libc.mincore(mapped.ctypes.data, len(mapped), resident.ctypes.data):
            raise OSError(ctypes.get_errno(), f"cannot tell which pages of {path} are in memory")
        held, pages = held + int((resident & 1).sum()), pages + len(resident)
    return held / pages


def read_plainly(files: Sequence[Path]) -> float:
    """Return the seconds that reading *files* takes, by as many threads as the engine has."""
    chunks = [(path, start) for path in files for start in range(0, path.stat().st_size, CHUNK_BYTES)]
    started = time.perf_counter()
    with ThreadPoolExecutor(READERS) as pool:
        for _ in pool.map(_read, chunks):
            pass
    return time.perf_counter() - started


def _read(chunk: tuple[Path, int]) -> None:
    path, start = chunk
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        # Anonymous memory goes back with the buffer; the page cache is not read through a second copy.
        file.readinto(bytearray(CHUNK_BYTES))


def first_picture(rung: str, checkpoint: Path, cap_gb: float) -> Row:
    """Return the row of *rung* opened in a process of its own; imports are not counted."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.jsonl"
        asked = ("--checkpoint", str(checkpoint), "--caps", str(cap_gb), "--references", "1", "--out", str(out))
        subprocess.run((sys.executable, "-m", "benchmarks.engine_child", rung, *asked), check=True)
        return Row.model_validate_json(out.read_text("utf-8").splitlines()[0])


def measure(rung: str, checkpoint: Path, cap_gb: float) -> dict[str, object]:
    """Return the seconds of a warm first picture, of reading the files, and of a first picture that must read them."""
    files = files_of(checkpoint)
    warm = first_picture(rung, checkpoint, cap_gb)
    evict(files)
    reading = read_plainly(files)
    evict(files)
    cold = first_picture(rung, checkpoint, cap_gb)
    if warm.s_first_image is None or cold.s_first_image is None:
        raise SystemExit(f"{rung} rendered no first picture: {warm.note or cold.note}")
    size_bytes = sum(path.stat().st_size for path in files)
    return {
        "rung": rung,
        "cap_gb": cap_gb,
        "file_gb": round(size_bytes / GB, 2),
        "s_reading": round(reading, 2),
        "gb_per_s": round(size_bytes / GB / reading, 2),
        "s_first_image_warm": warm.s_first_image,
        "s_first_image_cold": cold.s_first_image,
        "times_reading": round(cold.s_first_image / reading, 3),
    }


def main() -> None:
    """Measure what the command line says, print it as JSON and keep it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="a folder of engine_weights on a disk")
    parser.add_argument("--rung", default="bf16", choices=RUNGS)
    parser.add_argument("--cap-gb", type=float, default=10.0)
    given = parser.parse_args()
    machine = this_machine()
    row = measure(given.rung, given.checkpoint, given.cap_gb)
    print(json.dumps(row))
    path = RESULTS / f"engine_cold.{slug(machine.gpu)}.json"
    path.write_text(json.dumps({"machine": machine.model_dump(), **row}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

"""One row of the engine's benchmark, and the file that keeps them: benchmarks/results/engine.<machine>.json."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from undercard import store

RESULTS = Path(__file__).parent / "results"
GB = 1_000_000_000
"""Caps and peaks are in units of 10⁹ bytes, as cards and checkpoints are sold."""
STEPS = 4
"""Of Lightning."""
SIZE, TEXT_TOKENS = (1024, 1024), 350
TINY_SIZE, TINY_TEXT_TOKENS = (64, 64), 16
"""Of a dry run."""

TODAY = {
    "resident": "diffusers, all on the card",
    "model-offload": "diffusers model offload",
    "group-offload": "diffusers group offload",
    "sequential": "sequential offload",
}
"""What users have today: a mode of benchmarks.engine_baselines, and what a picture calls it."""


class Row(BaseModel):
    """What one way to run Qwen-Image-Edit took under one cap; None where it was not, or could not be, measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rung: str
    """A mode of `TODAY`, or a rung of undercard."""
    cap_gb: float | None = Field(gt=0)
    """What the allocator may hold on the device; None for the whole card. The CUDA context is not counted."""
    references: int = Field(ge=0)
    s_per_step: float | None = None
    """Median of whole calls of the transformer, warm, synchronised before and after."""
    s_per_keyframe: float | None = None
    """Four steps, the references through the VAE and the decode of the picture, warm, embeddings given."""
    s_first_image: float | None = None
    """From a checkpoint in the page cache, imports done, to the first finished picture."""
    peak_vram_gb: float | None = None
    """Most that tensors held, while warm."""
    peak_reserved_gb: float | None = None
    """Most that the allocator held for them, while warm."""
    peak_host_gb: float | None = None
    """Most that the process had in memory since it began, mapped files included."""
    pinned_gb: float | None = None
    """Most pinned host memory that torch had taken, rounding up included."""
    predicted_vram_gb: float | None = None
    predicted_s: float | None = None
    """Seconds a keyframe that the planner foretold."""
    exact: bool = False
    """Gives the pixels of bf16 diffusers."""
    error: float | None = None
    """Of the first step's answer against bf16 on identical weights, relative, in L2."""
    picture_error: float | None = None
    """Of the picture, against bf16's of the same request and weights: root mean square of the difference, relative to
    the spread of bf16's pixels."""
    out_of_memory: bool = False
    note: str = ""
    """What one must know to read the figures, or why there are none."""

    @property
    def key(self) -> tuple[str, float | None, int]:
        """What was measured, whatever came of it."""
        return self.rung, self.cap_gb, self.references

    @property
    def settled(self) -> bool:
        """There is nothing to gain by measuring it again: it has a figure, or memory ran out."""
        return self.out_of_memory or self.s_per_keyframe is not None


class Machine(BaseModel):
    """Where the rows were measured, and with what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu: str
    vram_gb: float
    cpu: str
    cores: int
    host_gb: float
    software: dict[str, str]
    """Version of each package that the figures depend on."""


class Results(BaseModel):
    """Everything one machine measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: Machine
    size: tuple[int, int]
    """Of the picture and of every reference, (width, height) px."""
    text_tokens: int
    steps: int
    rows: tuple[Row, ...] = ()

    def row(self, rung: str, cap_gb: float | None, references: int) -> Row | None:
        """Return what was measured, or None when nothing was."""
        return next((row for row in self.rows if row.key == (rung, cap_gb, references)), None)

    def with_rows(self, rows: Iterable[Row]) -> Results:
        """Return these results with *rows* in the place of what had the same key, or after the others."""
        merged = {row.key: row for row in self.rows} | {row.key: row for row in rows}
        return self.model_copy(update={"rows": tuple(merged.values())})


def load(path: Path) -> Results:
    """Read a file of results.

    Raises:
        OSError: it cannot be read.
        ValidationError: it holds something else.
    """
    return Results.model_validate_json(path.read_bytes())


def save(results: Results, path: Path) -> None:
    """Write *results* so that whoever stops the benchmark keeps the rows measured so far."""
    store.write_atomically(path, (results.model_dump_json(indent=1) + "\n").encode())

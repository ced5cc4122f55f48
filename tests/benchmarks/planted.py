"""Invented figures, so that tests can draw and merge rows: nothing here was measured."""

from __future__ import annotations

from benchmarks.engine_rows import Machine, Results, Row

MACHINE = Machine(gpu="Planted 80 GB", vram_gb=80.0, cpu="none", cores=1, host_gb=128.0, software={"torch": "0"})
CAPS = (3.0, 6.0, 8.0, 10.0, 12.0, 16.0, 24.0)
S_PER_STEP = {
    "bf16": (0.41, 0.36, 0.32, 0.30, 0.29, 0.285, 0.28),
    "fp8": (0.33, 0.30, 0.29, 0.29, 0.285, 0.28, 0.28),
    "nf4": (0.46, 0.45, 0.44, 0.44, 0.44, 0.44, 0.44),
}


def row(
    rung: str,
    cap_gb: float | None,
    s_per_step: float,
    references: int = 1,
    *,
    exact: bool = True,
    peak_vram_gb: float | None = None,
) -> Row:
    """Return an invented row whose keyframe takes four steps and 0.3 s."""
    return Row(
        rung=rung,
        cap_gb=cap_gb,
        references=references,
        s_per_step=s_per_step,
        s_per_keyframe=round(4 * s_per_step + 0.3, 3),
        peak_vram_gb=peak_vram_gb,
        exact=exact,
    )


def results() -> Results:
    """Return invented results of every mode and of three rungs."""
    rows = [
        row("resident", None, 0.43, peak_vram_gb=47.6),
        row("model-offload", None, 2.6, peak_vram_gb=42.0),
        row("group-offload", 3.0, 0.86),
        row("group-offload", 8.0, 0.82),
        row("sequential", 3.0, 6.6),
        row("sequential", 8.0, 6.5),
        Row(rung="resident", cap_gb=24.0, references=1, out_of_memory=True),
        *(
            row(rung, cap, seconds, exact=rung == "bf16")
            for rung, measured in S_PER_STEP.items()
            for cap, seconds in zip(CAPS, measured, strict=True)
        ),
    ]
    return Results(machine=MACHINE, size=(1024, 1024), text_tokens=350, steps=4, rows=tuple(rows))

"""The results of the engine's benchmark as a table for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from benchmarks.engine_rows import TODAY, Results, Row

HEADINGS = (
    "refs",
    "s/step",
    "s/keyframe",
    "planned",
    "1st image",
    "VRAM GB",
    "planned",
    "host GB",
    "pinned",
    "exact",
    "error",
    "picture",
)


def print_table(results: Results) -> None:
    """Print every row: what users have today first, then undercard's rungs, each by its cap."""
    machine = results.machine
    software = ", ".join(f"{name} {version}" for name, version in machine.software.items())
    width, height = results.size
    title = f"{machine.gpu} · {width}×{height} · {results.steps} steps · {results.text_tokens} text tokens"
    table = Table(title=title, caption=software)
    table.add_column("rung", no_wrap=True)
    table.add_column("cap GB", justify="right")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    previous = ""
    for row in sorted(results.rows, key=_order):
        if previous and row.rung != previous:
            table.add_section()
        previous = row.rung
        table.add_row(row.rung, "all" if row.cap_gb is None else f"{row.cap_gb:g}", *_cells(row))
    # A terminal of unknown width, such as a log, would be taken for one of 80 columns.
    console = Console(width=max(Console().width, 150))
    console.print(table)
    for row in results.rows:
        if not row.settled:
            console.print(f"{row.rung}: {row.note}", markup=False, highlight=False)


def _order(row: Row) -> tuple[int, str, float, int]:
    rank = list(TODAY).index(row.rung) if row.rung in TODAY else len(TODAY)
    return rank, row.rung, row.cap_gb or float("inf"), row.references


def _cells(row: Row) -> tuple[str, ...]:
    if row.out_of_memory:
        return str(row.references), "[red]no memory[/]"
    if not row.settled:
        return str(row.references), "[yellow]no figure[/]"
    return (
        str(row.references),
        _number(row.s_per_step, 3),
        _number(row.s_per_keyframe, 2),
        _number(row.predicted_s, 2),
        _number(row.s_first_image, 1),
        _number(row.peak_vram_gb, 2),
        _number(row.predicted_vram_gb, 2),
        _number(row.peak_host_gb, 1),
        _number(row.pinned_gb, 1),
        "yes" if row.exact else "no",
        _share(row.error),
        _share(row.picture_error),
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"

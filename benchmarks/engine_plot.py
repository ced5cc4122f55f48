"""Draws what the engine's benchmark measured: seconds against the VRAM allowed, undercard beside what users have today.

    python -m benchmarks.engine_plot benchmarks/results/engine.h100.json

Writes docs/pictures/engine.png. Needs matplotlib: `pip install undercard[bench]`.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from PIL import Image

from benchmarks.engine_rows import TODAY, Results, Row, load

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "engine.png"
# A card of its own colour reads the same on GitHub's light and dark pages.
BACKGROUND, INK, FAINT = "#0d1117", "#e6edf3", "#8b949e"
GRID = "#21262d"
# The red corner and the blue: ours and what there is today.
OURS = ("#ff5c4d", "#ff9f43", "#f7c948", "#e86bb3", "#c77dff", "#9ad14b", "#ff8fa3")
THEIRS = ("#58a6ff", "#79a8d8", "#6e9bd1", "#8aa4c8")
CAP_TICKS = (32.0, 48.0, 80.0, 140.0)
SECOND_TICKS = (0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100)
LIMIT_BYTES = 150_000
"""What the README's pictures may weigh."""
LABEL_GAP = 0.056
"""Least distance between two labels, as a share of the panel's height."""
KEYFRAME_X, STEP_X = 1.135, 1.235
"""Where the figures beside the lines end, in widths of the panel."""


@dataclass(frozen=True, slots=True)
class Series:
    """What one mode or rung took under each cap that was measured."""

    label: str
    colour: str
    ours: bool
    points: tuple[tuple[float, float], ...]
    """(GB allowed, seconds a keyframe), by GB."""
    s_per_step: float
    """At the last point."""
    uncapped: bool = False
    """Measured on the whole card alone: it stands at what it took there."""


def all_series(results: Results, references: int) -> list[Series]:
    """Return what there is to draw, the first of undercard's rungs last, so that it lies on top.

    A mode that was measured on the whole card alone stands where it would just fit: at its peak.
    """
    names = list(dict.fromkeys(row.rung for row in results.rows))
    ours = [name for name in names if name not in TODAY]
    colours = dict(zip(TODAY, THEIRS, strict=True)) | {name: OURS[n % len(OURS)] for n, name in enumerate(ours)}
    found = []
    for name in [*(name for name in TODAY if name in names), *reversed(ours)]:
        rows = [row for row in results.rows if row.rung == name and row.references == references]
        rows = sorted((row for row in rows if row.s_per_keyframe), key=lambda row: _allowed(row, results))
        if not rows:
            continue
        label = TODAY.get(name) or f"undercard {name}{', exact' if all(row.exact for row in rows) else ''}"
        points = tuple((_allowed(row, results), row.s_per_keyframe or 0.0) for row in rows)
        uncapped = name in TODAY and all(row.cap_gb is None for row in rows)
        found.append(Series(label, colours[name], name in ours, points, rows[-1].s_per_step or 0.0, uncapped))
    return found


def _allowed(row: Row, results: Results) -> float:
    if row.cap_gb is not None:
        return row.cap_gb
    return row.peak_vram_gb if row.rung in TODAY and row.peak_vram_gb else results.machine.vram_gb


def spread(wanted: Sequence[float], gap: float, floor: float = 0.0) -> list[float]:
    """Return *wanted* moved as little as needed for neighbours to be *gap* apart, in the same order and above *floor*.

    Neighbours that collide become a block centred on their mean, as in isotonic regression (pool adjacent violators).
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    # Each block: the sum of where its members want its first to be, and its members.
    blocks: list[tuple[float, list[int]]] = []
    for index in order:
        blocks.append((wanted[index], [index]))
        while len(blocks) > 1:
            (low_sum, low), (high_sum, high) = blocks[-2:]
            if high_sum / len(high) >= low_sum / len(low) + gap * len(low):
                break
            blocks[-2:] = [(low_sum + high_sum - gap * len(low) * len(high), low + high)]
    placed = [0.0] * len(wanted)
    lowest = floor
    for total, members in blocks:
        for place, index in enumerate(members):
            placed[index] = max(lowest, total / len(members) + gap * place)
            lowest = placed[index] + gap
    return placed


def draw(results: Results, references: int = 1) -> Figure:
    """Return the picture: seconds a keyframe against GB allowed, every line with its name and figures at its end.

    Raises:
        ValueError: nothing was measured with so many references.
    """
    lines = all_series(results, references)
    if not lines:
        raise ValueError(f"no row has figures for {references} references; measure some with benchmarks.engine")
    figure = Figure(figsize=(10.0, 5.4), facecolor=BACKGROUND)
    axes = figure.add_axes((0.045, 0.125, 0.57, 0.7))
    _set_up(axes, lines, results.machine.vram_gb)
    for line in lines:
        _draw_line(axes, line, leads=line is lines[-1] and line.ours)
    _label(axes, lines)
    if lines[-1].ours:
        _write_figures(axes, lines[-1])
    figure.text(
        0.022, 0.945, "Seconds a keyframe, by the VRAM allowed", color=INK, fontsize=16, weight="bold", va="center"
    )
    figure.text(0.022, 0.885, _subtitle(results, references), color=FAINT, fontsize=10.5, va="center")
    return figure


def _subtitle(results: Results, references: int) -> str:
    width, height = results.size
    plural = "s" if references != 1 else ""
    return (
        f"Qwen-Image-Edit, {width}×{height} px, {references} reference{plural}, {results.steps} steps; "
        f"warm, on one {results.machine.gpu} with a capped allocator"
    )


def _set_up(axes: Axes, lines: Sequence[Series], card_gb: float) -> None:
    values = [seconds for line in lines for _, seconds in line.points]
    caps = [cap for line in lines for cap, _ in line.points]
    right = max(card_gb, *caps)
    axes.set_facecolor(BACKGROUND)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(min(caps) * 0.9, right)
    axes.set_ylim(min(values) * 0.78, max(values) * 1.3)
    axes.text(1.045, -0.026, "GB of VRAM allowed", transform=axes.transAxes, color=FAINT, fontsize=10.5, va="top")
    # Every cap that was measured, and enough beyond to read where the others begin.
    measured = {cap for line in lines if line.ours for cap, _ in line.points}
    ticks = sorted({*measured, *(cap for cap in CAP_TICKS if all(abs(cap / other - 1) > 0.1 for other in measured))})
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if min(caps) <= tick <= right]))
    axes.yaxis.set_major_locator(FixedLocator(SECOND_TICKS))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}" if value >= 2 else f"{value:g}"))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    axes.tick_params(colors=FAINT, length=0, labelsize=10.5, pad=6)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_line(axes: Axes, line: Series, *, leads: bool) -> None:
    caps, seconds = [cap for cap, _ in line.points], [value for _, value in line.points]
    right = axes.get_xlim()[1]
    width, size = (3.0, 6.5) if leads else (1.6, 4.5)
    axes.plot(caps, seconds, color=line.colour, linewidth=width, marker="o", markersize=size, clip_on=False)
    if line.uncapped:
        # Say what it takes, which no tick does.
        axes.annotate(
            f"needs {caps[0]:.0f} GB", (caps[0], seconds[0]), (0, 7), textcoords="offset points", color=line.colour,
            fontsize=9, ha="center", va="bottom", path_effects=[withStroke(linewidth=3, foreground=BACKGROUND)],
        )  # fmt: skip
    # Memory beyond what was measured changes little: drawn thin, because it is not a measurement.
    axes.plot([caps[-1], right], [seconds[-1]] * 2, color=line.colour, linewidth=1.1, linestyle=(0, (2, 2)))


def _write_figures(axes: Axes, line: Series) -> None:
    """Write the seconds of each point under its cap, clear of every line."""
    ticks = axes.get_xaxis_transform()
    for cap, seconds in line.points:
        axes.text(
            cap, -0.088, _figure(seconds), transform=ticks, color=line.colour, fontsize=8.5, ha="center", va="top"
        )
    axes.text(
        1.045,
        -0.088,
        f"s/keyframe of {line.label}",
        transform=axes.transAxes,
        color=line.colour,
        fontsize=8.5,
        va="top",
    )


def _label(axes: Axes, lines: Sequence[Series]) -> None:
    """Write each line's last figures and its name beyond its right end, moved apart where lines meet."""
    to_share = axes.transAxes.inverted().transform
    wanted = [float(to_share(axes.transData.transform((1.0, line.points[-1][1])))[1]) for line in lines]
    places = spread(wanted, LABEL_GAP, floor=0.03)
    for x, heading in ((KEYFRAME_X, "s/keyframe"), (STEP_X, "s/step")):
        axes.text(x, max(places) + 0.06, heading, transform=axes.transAxes, color=FAINT, fontsize=9.5, ha="right")
    for line, share, height in zip(lines, wanted, places, strict=True):
        axes.plot(
            (1.0, 1.03), (share, height), transform=axes.transAxes, color=line.colour, linewidth=0.8, clip_on=False
        )
        weight = "bold" if line.ours else "normal"
        cells = ((KEYFRAME_X, _figure(line.points[-1][1])), (STEP_X, _figure(line.s_per_step)))
        for x, text in cells:
            axes.text(
                x, height, text, transform=axes.transAxes, color=line.colour, fontsize=10.5, weight=weight, ha="right",
                va="center",
            )  # fmt: skip
        axes.text(
            STEP_X + 0.035, height, line.label, transform=axes.transAxes, color=line.colour, fontsize=10.5,
            weight=weight, va="center",
        )  # fmt: skip


def _figure(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}"


def write(figure: Figure, path: Path) -> None:
    """Write *figure* as a PNG of 96 colours, which is all that it needs: a quarter of the bytes of full colour."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=160)
    Image.open(drawn).convert("RGB").quantize(96).save(path, optimize=True)


def main() -> None:
    """Draw the results that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--references", type=int, default=1)
    parser.add_argument("--out", type=Path, default=PICTURE)
    given = parser.parse_args()
    write(draw(load(given.results), given.references), given.out)
    print(f"{given.out}: {given.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

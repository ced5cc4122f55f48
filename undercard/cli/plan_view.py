"""How plans look on a terminal of 80 columns or more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from undercard.cli.console import brief, duration
from undercard.domain.units import gigabytes
from undercard.hardware import devices
from undercard.hardware.devices import Device, Gpu
from undercard.planning.outlook import Card, Outlook
from undercard.planning.plan import Plan
from undercard.planning.rungs import Fit
from undercard.production.estimate import FilmOutlook, ShotEstimate

UNSEEN_BYTES = 700_000_000
"""What a driver keeps for itself is less; above it somebody else is there."""


def machine(outlook: Outlook, no_card: str) -> Group:
    """Return the device: a few lines for each card, and one for the rest; *no_card* says why there is none."""
    lines = [line for card in outlook.cards for line in _card(card)]
    if not outlook.cards:
        lines.append(Text.from_markup(f"[yellow]no graphics card[/]: {escape(no_card)}"))
    return Group(*lines, _host(outlook.device))


def _card(card: Card) -> Iterator[Text]:
    gpu = card.gpu
    full = gpu.free_bytes < 0.5 * gpu.total_bytes
    style = "yellow" if full else "green"
    # Every card's name begins with its maker's, and a line has 80 columns.
    name = escape(gpu.name.removeprefix("NVIDIA "))
    room = f"[{style}]{gigabytes(gpu.free_bytes)} free[/] of {gigabytes(gpu.total_bytes)}"
    yield Text.from_markup(f"[bold]{name}[/] · {room} · copies {_rate(gpu)}")
    for tenant in card.tenants:
        name = tenant.name or "a process that cannot be seen from here"
        whose = "ours" if tenant.ours else "another"
        held = gigabytes(tenant.used_bytes) if tenant.used_bytes else "some memory"
        yield Text.from_markup(f"[dim]  held by {whose}: {escape(name)} (pid {tenant.pid}), {held}[/]")
    if card.unseen_bytes > UNSEEN_BYTES:
        yield Text.from_markup(
            f"[dim]  held by others that cannot be seen from here: {gigabytes(card.unseen_bytes)}[/]"
        )


def _rate(gpu: Gpu) -> str:
    rate = f"{devices.copy_rate(gpu) / 1e9:.0f} GB/s"
    if gpu.copy_bytes_per_second:
        return f"{rate}, measured"
    link = f"PCIe {gpu.pcie_generation} ×{gpu.pcie_lanes}" if gpu.pcie_generation and gpu.pcie_lanes else "not measured"
    return f"≈ {rate} ({link})"


def _host(device: Device) -> Text:
    free = f"{gigabytes(device.host_free_bytes)} free of " if device.host_free_bytes else ""
    total = f"{gigabytes(device.host_bytes)} of host memory" if device.host_bytes else "host memory unknown"
    return Text(f"{device.cores} cores · {free}{total}")


def ladder(outlook: Outlook) -> Group:
    """Return the ladder as a table, and below it why some rungs do not fit."""
    width, height = outlook.work.size
    where = f", on cuda:{outlook.cards[0].gpu.index}" if len(outlook.cards) > 1 else ""
    references = f"{outlook.work.references} reference{'s' if outlook.work.references != 1 else ''}"
    table = Table(
        Column("", width=1),
        Column("rung", ratio=1, no_wrap=True, overflow="ellipsis"),
        Column("exact", justify="center"),
        Column("VRAM", justify="right", no_wrap=True),
        Column("host", justify="right", no_wrap=True),
        Column("a keyframe", justify="right", no_wrap=True),
        title=f"Ladder for keyframes of {width}×{height} with {references}{where}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for fit in outlook.ladder:
        table.add_row(*_row(fit), style="" if fit.fits else "dim")
    foreseen = any(_is_foreseen(fit) for fit in outlook.ladder)
    note = [Text("≈ foreseen; the first run on this machine corrects it", style="dim")] if foreseen else []
    problems = [(fit.rung.label, fit.reason) for fit in outlook.ladder if not fit.fits]
    return Group(table, *_reasons(problems), *note)


def _row(fit: Fit) -> tuple[str, ...]:
    needs = fit.rung.needs
    mark = "[green]✓[/]" if fit.fits else "[red]✗[/]"
    exact = "yes" if fit.rung.exact else "–"
    if not fit.runs:
        return mark, escape(fit.rung.label), exact, "", "", ""
    vram = gigabytes(needs.vram_bytes) if needs.vram_bytes else "–"
    seconds = f"≈ {brief(needs.seconds)}" if _is_foreseen(fit) else brief(needs.seconds)
    return mark, escape(fit.rung.label), exact, vram, gigabytes(needs.host_bytes), seconds


def _is_foreseen(fit: Fit) -> bool:
    """Say whether the needs of a rung on a card are the model's alone; what draws on the processor was measured."""
    return fit.runs and fit.rung.predicted is None and fit.rung.needs.vram_bytes > 0


def _reasons(problems: Sequence[tuple[str, str]]) -> Iterator[Text]:
    """Yield *problems*, pairs of what does not work and why, one line for all that share a reason."""
    grouped: dict[str, list[str]] = {}
    for label, reason in problems:
        grouped.setdefault(reason, []).append(label)
    for reason, labels in grouped.items():
        yield Text.from_markup(f"[red]✗[/] [bold]{escape(', '.join(labels))}[/]: {escape(reason)}")


def shots(rows: Sequence[ShotEstimate]) -> Table:
    """Return the shots of a plan as a table."""
    table = Table(
        Column("no.", justify="right"),
        Column("shot", no_wrap=True, overflow="ellipsis"),
        Column("frames", justify="right"),
        Column("motion", no_wrap=True),
        Column("keyframes done", justify="right"),
        Column("drawn", justify="right"),
        Column("about", justify="right", no_wrap=True),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for row in rows:
        done = f"{row.done} of {row.keyframes}"
        about = brief(row.seconds)
        table.add_row(str(row.number), row.shot, str(row.frames), row.motion, done, str(row.drawn), about)
    return table


def summary(plan: Plan, film: FilmOutlook, now: datetime) -> Group:
    """Return what a run of *plan*, begun *now*, takes and when it ends."""
    what = f"{plan.timeline.frame_count} frames at {plan.shot_list.fps} fps"
    size = f"{plan.size[0]}×{plan.size[1]}"
    lines = [f"{what}, {size} on {plan.backend}: about {duration(film.seconds)}."]
    if film.rung is not None and film.gpu_seconds:
        lines.append(
            f"{film.keyframes_left} keyframes at {brief(film.rung.needs.seconds)} on {film.rung.label}: "
            f"{film.gpu_seconds / 60:.1f} GPU-minutes."
        )
    if plan.why:
        # Why each of them does not is told below the ladder.
        lines.append("No model fits this machine, so the previz draws it.")
    # What was written and is not shown is told before a run, too.
    lines += [f"{each.shot}: {each}." for each in plan.fallen]
    if film.instead:
        lines.append(f"Nothing that would render its keyframes fits this device now: {film.instead}.")
    elif film.seconds:
        lines.append(f"Begun now, it is done {_moment(film.ends(now), now)}.")
    return Group(*(Text(line) for line in lines))


def _moment(end: datetime, now: datetime) -> str:
    clock = f"at {end:%H:%M}"
    days = (end.date() - now.date()).days
    return clock if not days else f"{clock} tomorrow" if days == 1 else f"on {end:%A %d %B} {clock}"

"""What the device can do and what a run would cost: `undercard plan` and `undercard doctor`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Column, Table

from undercard import __version__, backends, settings
from undercard.cli_arguments import Backend, Exact, Failed, FrameSize, Selection, ShotListFile, Start
from undercard.console import duration, told
from undercard.devices import this_device
from undercard.options import RunOptions, plan_run


def plan(
    shot_list: ShotListFile,
    size: FrameSize = None,
    backend: Backend = "previz",
    exact: Exact = False,
    shots: Selection = None,
    start: Start = None,
    failed: Failed = False,
) -> None:
    """Say what `render` would do, and about how long it would take, without doing it."""
    from undercard import estimate

    console = Console()
    with told(console):
        run = RunOptions(
            shot_list=shot_list, backend=backend, exact=exact, size=size, shots=shots, start=start, failed=failed
        )
        planned = plan_run(run, this_device())
        table = Table("no.", Column("shot", no_wrap=True), "frames", "motion", "keyframes done", "drawn", "about")
        for row in estimate.rows(planned):
            table.add_row(
                str(row.number),
                row.shot,
                str(row.frames),
                row.motion,
                f"{row.done} of {row.keyframes}",
                str(row.drawn),
                duration(row.seconds),
            )
        console.print(table)
        total = estimate.total(planned)
        console.print(
            f"{planned.timeline.frame_count} frames at {planned.shot_list.fps} fps, "
            f"{planned.size[0]}×{planned.size[1]} on {planned.backend}: about {duration(total)}."
        )


def doctor() -> None:
    """Say which backends work on this machine, and what would make the others work."""
    console = Console()
    with told(console):
        device = this_device()
        memory = f"{device.host_bytes / 2**30:.1f} GiB" if device.host_bytes else "unknown memory"
        console.print(f"undercard {__version__} · {device.cores} cores · {memory}", highlight=False)
        console.print(f"store: {settings.load().store_root}", highlight=False, soft_wrap=True)
        table = Table("backend", "usable", "exact", "animates", "a 1024×576 keyframe")
        for name in backends.names():
            backend = backends.backend(name)
            reason = backend.unavailable(device)
            needs = backends.fastest(name, backends.Work((1024, 576)), device).needs
            table.add_row(
                name,
                "[green]yes[/]" if reason is None else f"[red]no[/]: {reason}",
                "yes" if backend.exact else "no",
                "yes" if backend.animates else "no",
                f"{needs.seconds:.2f} s · {needs.host_bytes / 2**20:.0f} MiB",
            )
        console.print(table)

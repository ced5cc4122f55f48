"""The command line: `undercard render`, `plan`, `shots`, `vocabulary`, `schema`, `doctor`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Protocol, cast

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Column, Table

from undercard import __version__, backends, settings
from undercard.devices import this_device
from undercard.errors import BackendUnavailable, BadInput, UndercardError
from undercard.options import RunOptions, find, plan_run

SHOTS_FAILED = 3
BAD_INPUT = 2
FAILED = 1

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="**Shot list in, fight film out, on an undersized card.**\n\n"
    "Write the shots in a YAML file, then `undercard render` it. Start from data/shots/sparring.yaml.",
    epilog="Exit status: 0 the film is whole · 1 it failed · 2 the input cannot be used · 3 some shots failed.",
)

ShotListFile = Annotated[Path, typer.Argument(metavar="LIST", help="The shot list, a YAML file.", show_default=False)]
Backend = Annotated[
    str, typer.Option("--backend", "-b", help="What renders the keyframes; `undercard doctor` lists them.")
]
Exact = Annotated[bool, typer.Option("--exact", help="Only accept exact bf16 Qwen-Image-Edit pixels.")]
FrameSize = Annotated[
    str | None, typer.Option("--size", "-s", metavar="WxH", help="Pixels, such as 1024x576; else the shot list's own.")
]
Selection = Annotated[
    str | None, typer.Option("--shots", metavar="SHOTS", help="Only these: numbers, ranges, ids, globs: `3,7-9,jab`.")
]
Start = Annotated[str | None, typer.Option("--from", metavar="SHOT", help="Only this shot and those after it.")]
Failed = Annotated[bool, typer.Option("--failed", help="Only the shots that failed last time.")]


class Terminal(Protocol):
    """What the application gives the command line; see flows/terminal.py."""

    def render(self, run: RunOptions, console: Console, *, verbose: bool) -> bool:
        """Run the flow; return whether every shot came out."""


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    """Answer `--version`."""
    if version:
        Console().print(f"undercard {__version__}", highlight=False)
        raise typer.Exit


@app.command()
def render(
    shot_list: ShotListFile,
    size: FrameSize = None,
    backend: Backend = "previz",
    exact: Exact = False,
    shots: Selection = None,
    start: Start = None,
    failed: Failed = False,
    takes: Annotated[
        int | None, typer.Option("--takes", min=1, max=20, help="Takes of a keyframe before its shot is given up.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Prefect's log as well.")] = False,
) -> None:
    """Render a shot list into a film.

    What an earlier run made is used again: after an edit only what it touches is rendered, and the same command
    after an interruption goes on where it stopped.
    """
    console = Console()
    with _told(console):
        run = RunOptions(
            shot_list=shot_list,
            backend=backend,
            exact=exact,
            size=size,
            shots=shots,
            start=start,
            failed=failed,
            take_limit=takes,
        )
        whole = _terminal().render(run, console, verbose=verbose)
    if not whole:
        raise typer.Exit(SHOTS_FAILED)


@app.command()
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
    with _told(console):
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
                _duration(row.seconds),
            )
        console.print(table)
        total = estimate.total(planned)
        console.print(
            f"{planned.timeline.frame_count} frames at {planned.shot_list.fps} fps, "
            f"{planned.size[0]}×{planned.size[1]} on {planned.backend}: about {_duration(total)}."
        )


@app.command()
def shots(shot_list: ShotListFile) -> None:
    """Check a shot list and print its shots."""
    from undercard import shotlist

    console = Console()
    with _told(console):
        film = shotlist.load(find(shot_list))
        columns = ("no.", Column("shot", no_wrap=True), "frames", "camera", "light", "motion", "keyframes at")
        table = Table(*columns, title=film.title)
        for shot in film.shots:
            frames = ", ".join(str(keyframe.at) for keyframe in shot.keyframes)
            camera = shot.camera.name or "placed"
            table.add_row(str(shot.number), shot.id, str(shot.frames), camera, shot.light, shot.motion, frames)
        console.print(table)


@app.command()
def vocabulary() -> None:
    """Print the poses, cameras, lights, motions and transitions that a shot list may name."""
    from undercard import vocabulary as words

    console = Console()
    for kind, entries in words.everything().items():
        table = Table(title=kind, show_header=False, box=None, title_justify="left", title_style="bold", padding=(0, 2))
        for name, about in entries.items():
            table.add_row(f"[cyan]{name}[/]", about)
        console.print(table)


@app.command()
def schema() -> None:
    """Print the JSON schema that editors complete and check shot lists with.

    Keep it beside your shot lists: `undercard schema > schema.json`.
    """
    from undercard import shotlist

    typer.echo(shotlist.schema_text(), nl=False)


@app.command()
def doctor() -> None:
    """Say which backends work on this machine, and what would make the others work."""
    console = Console()
    with _told(console):
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


def _terminal() -> Terminal:
    """Return the application's terminal face, which lies above this library and is not part of its wheel."""
    try:
        return cast("Terminal", importlib.import_module("flows.terminal"))
    except ModuleNotFoundError as exc:
        if exc.name not in {"flows", "flows.terminal"}:
            raise
        raise BackendUnavailable(
            "the flows are not installed: run from a checkout of undercard, installed with `pip install -e .`"
        ) from exc


@contextmanager
def _told(console: Console) -> Iterator[None]:
    """Turn errors into a message and an exit status."""
    try:
        yield
    except BadInput as exc:
        _say(console, str(exc))
        raise typer.Exit(BAD_INPUT) from exc
    except ValidationError as exc:
        _say(
            console, "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, not {e['input']!r}" for e in exc.errors())
        )
        raise typer.Exit(BAD_INPUT) from exc
    except UndercardError as exc:
        _say(console, str(exc))
        raise typer.Exit(FAILED) from exc


def _say(console: Console, message: str) -> None:
    console.print("[bold red]undercard:[/] ", end="")
    console.print(message, markup=False, highlight=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else str(timedelta(seconds=round(seconds)))

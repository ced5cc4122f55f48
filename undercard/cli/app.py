"""The command line: `undercard render` and the commands around it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from undercard import __version__
from undercard.cli import gate, inputs, plan, provision, review
from undercard.cli.arguments import Backend, Exact, Failed, FrameSize, Presets, Selection, Shape, ShotListFile, Start
from undercard.cli.console import SHOTS_FAILED, told
from undercard.cli.film import cut, deliver
from undercard.cli.notify import notify
from undercard.cli.schedule import schedule
from undercard.cli.server import server
from undercard.planning.choose import AUTO
from undercard.production.options import RunOptions, find

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="**Shot list in, fight film out, on an undersized card.**\n\n"
    "Write the shots in a YAML file, then `undercard render` it. Start from data/shots/sparring.yaml.",
    epilog="Exit status: 0 the film is whole · 1 it failed · 2 the input cannot be used · 3 some shots failed, or the "
    "gate rejects a picture · 4 every shot is done, but their renderers give different pixels · 5 every shot is done, "
    "but the gate rejected every take of some keyframes, which need your review.",
)


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
    backend: Backend = AUTO,
    exact: Exact = False,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Render again what stepped down, where a better rung fits now.")
    ] = False,
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Let the film have keyframes of renderers that give different pixels.")
    ] = False,
    shots: Selection = None,
    start: Start = None,
    failed: Failed = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Render the selected shots anew, with other seeds, although they were accepted."),
    ] = False,
    takes: Annotated[
        int | None,
        typer.Option("--takes", min=1, max=20, help="Takes of a keyframe before the best is kept."),
    ] = None,
    preset: Presets = None,
    shape: Shape = "whole",
    handles: Annotated[
        bool, typer.Option("--handles", help="Write it as whole shots with real transitions, too, for editors.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Prefect's log as well.")] = False,
) -> None:
    """Render a shot list into a film.

    What an earlier run made is used again: after an edit only what it touches is rendered, and the same command
    after an interruption goes on where it stopped.
    """
    console = Console()
    with told(console):
        options = RunOptions(
            shot_list=shot_list,
            backend=backend,
            exact=exact,
            upgrade=upgrade,
            mixed=mixed,
            size=size,
            shots=shots,
            start=start,
            failed=failed,
            again=again,
            take_limit=takes,
            presets=tuple(preset or ()),
            shape=shape,
            handles=handles,
        )
        # Prefect takes two seconds to import, which the other commands need not pay.
        from undercard.cli.render import render_film

        whole = render_film(options, console, verbose=verbose)
    if not whole:
        raise typer.Exit(SHOTS_FAILED)


@app.command()
def shots(
    shot_list: ShotListFile,
    prompts: Annotated[bool, typer.Option("--prompts", help="Print what an image model is told instead.")] = False,
) -> None:
    """Check a shot list and print its shots.

    With `--prompts`: what each keyframe's prompt says, as the list's `prompt_template` has it.
    """
    from undercard.shotlist.load import load_shot_list

    console = Console()
    with told(console):
        film = load_shot_list(find(shot_list))
        if prompts:
            inputs.print_prompts(film, console)
            return
        columns = ("no.", Column("shot", no_wrap=True), "frames", "camera", "light", "motion", "keyframes at")
        table = Table(*columns, title=film.title)
        for shot in film.shots:
            frames = ", ".join(str(keyframe.at) for keyframe in shot.keyframes)
            if shot.replay is not None:
                frames = f"{shot.replay.of} again, from {shot.replay.at}"
            camera = shot.camera.name or "placed"
            table.add_row(str(shot.number), shot.id, str(shot.frames), camera, shot.light, shot.motion, frames)
        console.print(table)


@app.command()
def vocabulary() -> None:
    """Print what a shot list may name: poses, cameras, controls, lights, motions, graphics, transitions, sounds."""
    from undercard.shotlist import vocabulary as words

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
    from undercard.shotlist.load import schema_text

    typer.echo(schema_text(), nl=False)


app.command()(review.approve)
app.command()(deliver)
app.command()(cut)
app.command()(inputs.sheets)
app.command()(gate.gate)
app.command()(plan.plan)
app.command()(provision.provision)
app.command()(plan.doctor)
app.command()(schedule)
app.command()(notify)
app.add_typer(server, name="server")

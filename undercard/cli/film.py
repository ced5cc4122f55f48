"""What becomes of a finished film, on the command line: other formats and shapes, and edits made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from undercard.cli.arguments import PRESETS, Backend, Exact, FrameSize, Selection, Shape, ShotListFile
from undercard.cli.console import told
from undercard.planning.choose import AUTO


def cut(
    timeline: Annotated[
        Path, typer.Argument(metavar="TIMELINE", help="The edited timeline, .otio or .otioz.", show_default=False)
    ],
    into: Annotated[
        Path | None, typer.Option(help="File to write the film to; `recut.mp4` beside the timeline by default.")
    ] = None,
) -> None:
    """Cut a film anew from a timeline that was edited elsewhere: clips reordered, trimmed, left out or repeated.

    Every render writes `timeline.otio` beside its film. Sounds stay with their pictures; clips that nobody trimmed are
    taken as they were encoded.
    """
    from undercard import settings
    from undercard.production.assembly import recut
    from undercard.store import Store

    console = Console()
    with told(console):
        target = into or timeline.with_name("recut.mp4")
        made = recut.cut(timeline, target, Store(settings.load().store_root))
        console.print(f"{made.frames} frames: {target}", markup=False, highlight=False, soft_wrap=True)
        if made.unheard:
            console.print(f"Not all of the sound: {made.unheard}.", markup=False, highlight=False, soft_wrap=True)


def deliver(
    shot_list: ShotListFile,
    preset: Annotated[str, typer.Option("--preset", "-p", help=f"{PRESETS}.")] = "h264",
    shape: Shape = "whole",
    into: Annotated[Path | None, typer.Option(help="File to write to; beside the film by default.")] = None,
    size: FrameSize = None,
    backend: Backend = AUTO,
    exact: Exact = False,
    shots: Selection = None,
) -> None:
    """Deliver a finished film in another format or another shape.

    `--size`, `--backend` and `--shots` name the film as they did when it was rendered. Its frames are taken as they
    were drawn where `render --preset` or the shot list's `delivery` had them kept, else from the film.
    """
    from undercard import settings
    from undercard.film.encoding.delivery import Delivery
    from undercard.hardware.probe import this_device
    from undercard.production import manifest
    from undercard.production.assembly import delivery
    from undercard.production.options import RunOptions
    from undercard.production.run import begin

    console = Console()
    with told(console):
        run = RunOptions(
            shot_list=shot_list, size=size, backend=backend, exact=exact, shots=shots, presets=(preset,), shape=shape
        )
        begun = begin(run, settings.load(), this_device)
        plan, folder, store = begun.plan, begun.folder, begun.plan.store
        film, wanted = delivery.finished(plan, folder), Delivery(preset, shape)
        masters = delivery.masters_of(manifest.read_film(folder, film.name, store), store)
        made = delivery.made(film, masters, wanted, delivery.centres(plan, wanted), store)
        target = into or film.with_name(wanted.file_name(film.stem))
        store.copy_out(made, target)
        source = "as it is" if wanted.is_the_film else "from its frames without loss" if masters else "encoded again"
        told_size = f"{target.stat().st_size / 1e6:.1f} MB, {film.name} {source}"
        console.print(f"{target} ({told_size})", highlight=False, soft_wrap=True)

"""What becomes of a finished film, on the command line: other formats and shapes, and edits made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from undercard.choosing import AUTO
from undercard.cli_arguments import Backend, Exact, FrameSize, Selection, ShotListFile
from undercard.console import told


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
    from undercard import recut

    console = Console()
    with told(console):
        target = into or timeline.with_name("recut.mp4")
        report = recut.cut(timeline, target)
        console.print(f"{report.frames} frames: {target}", highlight=False, soft_wrap=True)


def deliver(
    shot_list: ShotListFile,
    preset: Annotated[
        str,
        typer.Option(
            "--preset", "-p", help="h264, hevc, av1, prores, hevc-bt2020, av1-bt2020, or a preview: gif, webp."
        ),
    ] = "h264",
    shape: Annotated[
        str, typer.Option(help="whole, or vertical (9:16) or square, which follow the fighters.")
    ] = "whole",
    into: Annotated[Path | None, typer.Option(help="File to write to; beside the film by default.")] = None,
    size: FrameSize = None,
    backend: Backend = AUTO,
    exact: Exact = False,
    shots: Selection = None,
) -> None:
    """Encode a finished film anew, for another place or another shape.

    `--size`, `--backend` and `--shots` name the film as they did when it was rendered. The sound is taken as it is.
    """
    from undercard import options, reframing
    from undercard.devices import this_device
    from undercard.errors import BadInput
    from undercard.film import delivery
    from undercard.options import RunOptions

    console = Console()
    with told(console):
        wanted = delivery.preset(preset)
        plan = options.plan_run(
            RunOptions(shot_list=shot_list, size=size, backend=backend, exact=exact, shots=shots), this_device()
        )
        film = options.folder_of(plan) / ("film.mp4" if plan.whole else "excerpt.mp4")
        if not film.is_file():
            raise BadInput(f"{film} does not exist; render it first, with the same size and backend")
        share = delivery.window(plan.size, shape)[0] / plan.size[0]
        name = f"{film.stem}-{preset}{'' if shape == 'whole' else f'-{shape}'}{wanted.suffix}"
        target = into or film.with_name(name)
        centres = () if shape == "whole" else reframing.centres(plan, share)
        delivery.deliver(film, target, wanted, shape, centres)
        console.print(f"{target} ({target.stat().st_size / 1e6:.1f} MB)", highlight=False, soft_wrap=True)

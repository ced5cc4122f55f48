"""What becomes of a finished film, on the command line: cut it anew from an edited timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

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

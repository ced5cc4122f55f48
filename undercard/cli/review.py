"""Letting a take stand that the gate rejected: `undercard approve`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from undercard import settings
from undercard.cli.arguments import Backend, Exact, FrameSize, ShotListFile
from undercard.cli.console import told
from undercard.hardware.probe import this_device
from undercard.planning.choose import AUTO
from undercard.production import manifest
from undercard.production.options import RunOptions
from undercard.production.run import begin

Approved = Annotated[
    list[str], typer.Argument(metavar="SHOT…", help="Ids of shots, or of keyframes: `jab-02`.", show_default=False)
]
TakeNumber = Annotated[
    int | None, typer.Option("--take", min=1, help="The number of the take that is to stand; else the best one.")
]


def approve(
    shot_list: ShotListFile,
    shots: Approved,
    size: FrameSize = None,
    backend: Backend = AUTO,
    exact: Exact = False,
    take: TakeNumber = None,
) -> None:
    """Let keyframes stand that need review, whatever the gate says of them.

    The manifest keeps the gate's verdict beside your word. Render the film again afterwards: what is approved is not
    rendered, and once nothing needs review the film is `film.mp4`.
    """
    console = Console()
    with told(console):
        asked = RunOptions(shot_list=shot_list, backend=backend, exact=exact, size=size)
        run = begin(asked, settings.load(), this_device)
        for label, number in manifest.approve(run.folder, shots, run.plan.store, take).items():
            console.print(f"[green]{label}[/]: take {number} stands", highlight=False)

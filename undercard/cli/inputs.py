"""What a model is given, on the command line: the fighters' sheets, and the prompts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from undercard import settings
from undercard.cli.arguments import ShotListFile
from undercard.cli.console import told
from undercard.production.options import find
from undercard.shotlist.likeness import likeness
from undercard.shotlist.load import load_shot_list
from undercard.shotlist.models import ShotList
from undercard.store import Store


def sheets(
    shot_list: ShotListFile,
    into: Annotated[
        Path | None, typer.Option(help="Folder to put the sheets into; one in the store by default.")
    ] = None,
) -> None:
    """Draw the character sheets that an image model knows the fighters by.

    A sheet is drawn for whoever has no `reference` in the cast. To have him look otherwise, put a picture beside the
    shot list and name it there, as `reference: ray.png`.
    """
    console = Console()
    with told(console):
        film = load_shot_list(find(shot_list))
        store = Store(settings.load().store_root)
        folder = into or store.root / "sheets" / film.slug
        table = Table(Column("fighter", no_wrap=True), "known by", title=film.title)
        for name, member in film.cast.items():
            found = member.reference or _drawn(film, name, folder, store)
            table.add_row(name, f"{found}{' (your own)' if member.reference else ''}")
        console.print(table)


def print_prompts(film: ShotList, console: Console) -> None:
    """Print the prompt of every keyframe of *film*."""
    from undercard.shotlist import prompts

    for shot in (shot for shot in film.shots if shot.replay is None):
        for keyframe in shot.keyframes:
            console.print(f"[bold]{shot.id}[/] at {keyframe.at}", highlight=False)
            console.print(prompts.prompt(film, shot, keyframe), markup=False, highlight=False, soft_wrap=True)


def _drawn(film: ShotList, name: str, folder: Path, store: Store) -> Path:
    """Draw the sheet of the fighter called *name* and return where it lies in *folder*, under his name."""
    from undercard.production.keyframes import conditioning

    request = likeness(name, film.cast[name]).sheet
    assert request is not None
    sheet = conditioning.draw_sheet(name, request, store)
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(store.path_of(sheet.picture), folder / f"{name}.png"))

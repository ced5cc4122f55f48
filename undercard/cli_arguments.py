"""Arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

LIST = typer.Argument(metavar="LIST", help="The shot list, a YAML file.", show_default=False)
ShotListFile: TypeAlias = Annotated[Path, LIST]
Backend: TypeAlias = Annotated[
    str, typer.Option("--backend", "-b", help="What renders the keyframes; `undercard doctor` lists them.")
]
Exact: TypeAlias = Annotated[bool, typer.Option("--exact", help="Only accept exact bf16 Qwen-Image-Edit pixels.")]
FrameSize: TypeAlias = Annotated[
    str | None, typer.Option("--size", "-s", metavar="WxH", help="Pixels, such as 1024x576; else the shot list's own.")
]
Selection: TypeAlias = Annotated[
    str | None, typer.Option("--shots", metavar="SHOTS", help="Only these: numbers, ranges, ids, globs: `3,7-9,jab`.")
]
Start: TypeAlias = Annotated[
    str | None, typer.Option("--from", metavar="SHOT", help="Only this shot and those after it.")
]
Failed: TypeAlias = Annotated[bool, typer.Option("--failed", help="Only the shots that failed last time.")]

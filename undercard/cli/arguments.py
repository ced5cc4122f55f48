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
PRESETS = "h264, hevc, av1, prores, hevc-bt2020, av1-bt2020, or a preview: gif, webp"
Presets: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--preset", "-p", help=f"Deliver the film so, too, from its frames without loss: {PRESETS}."),
]
Shape: TypeAlias = Annotated[
    str, typer.Option(help="Of what is delivered: whole, or vertical (9:16) or square, which follow the fighters.")
]
Failed: TypeAlias = Annotated[bool, typer.Option("--failed", help="Only the shots that failed last time.")]

"""Pictures before the gate by hand: `undercard gate`, which explains a verdict or fits the thresholds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from undercard import settings
from undercard.cli.console import SHOTS_FAILED, told
from undercard.errors import BadInput
from undercard.gate.contract import Verdict
from undercard.gate.evidence import Evidence
from undercard.production.options import find

if TYPE_CHECKING:
    from undercard.gate.calibration.fit import Fit

PICTURES = typer.Argument(metavar="IMAGE…", help="Pictures to judge; of a shot, one keyframe after another.")


def gate(
    pictures: Annotated[list[Path] | None, PICTURES] = None,
    shot: Annotated[
        str | None, typer.Option("--shot", metavar="ID", help="The shot that they are keyframes of.")
    ] = None,
    shot_list: Annotated[Path | None, typer.Option("--list", metavar="LIST", help="The shot's list.")] = None,
    keyframe: Annotated[
        int, typer.Option("--keyframe", min=1, metavar="N", help="Which keyframe of the shot the first picture is.")
    ] = 1,
    size: Annotated[
        str | None, typer.Option("--size", "-s", metavar="WxH", help="Pixels that they should have; else the list's.")
    ] = None,
    backend: Annotated[str, typer.Option("--backend", "-b", help="What drew them; thresholds may differ.")] = "",
    into: Annotated[
        Path | None, typer.Option("--into", help="Folder for the annotated pictures; beside each by default.")
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option("--calibrate", metavar="FOLDER", help="Fit thresholds to this labelled folder instead."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts, or the fits, for a program.")] = False,
) -> None:
    """Say what the gate says of pictures, and why: every score, and a picture with what the checks saw on it.

    With `--shot` and `--list` the picture is held against what the shot asks for: its previz frame, its poses, its
    fighters, and the keyframe before. Without, against what any keyframe has to be. What passes is shown to the judge,
    where the settings name one. Exit status 3: a picture is rejected.

    `--calibrate FOLDER` reads a folder with a folder `good` and one for each fault, such as `soft` or `not edited`, and
    prints rows for thresholds.toml. What a picture is compared with lies beside it: `jab.png`, `jab.control.png`,
    `jab.before.png`, `jab.before-control.png`, `jab.take-1.png`, `jab.reference-1.png`.
    """
    console = Console()
    with told(console):
        if calibrate is not None:
            _calibrate(calibrate, backend, console, as_json=as_json)
            return
        if not pictures:
            raise BadInput("nothing to judge: name at least one picture, or a folder after --calibrate")
        if (shot is None) != (shot_list is None):
            raise BadInput("a shot is found by its id and its list: give both --shot and --list, or neither")
        rejected = _explain(
            pictures, _evidences(pictures, shot, shot_list, keyframe, size, backend), into, console, as_json
        )
    if rejected:
        raise typer.Exit(SHOTS_FAILED)


def _evidences(
    pictures: Sequence[Path], shot: str | None, shot_list: Path | None, keyframe: int, size: str | None, backend: str
) -> list[Evidence]:
    from undercard.domain.timecode import parse_size
    from undercard.production.keyframes.evidence import alone, of_shot
    from undercard.shotlist.load import load_shot_list

    for picture in pictures:
        if not picture.is_file():
            raise BadInput(f"{picture} is no file; name a picture")
    asked = parse_size(size) if size else None
    if shot is None or shot_list is None:
        return [alone(picture, asked, backend) for picture in pictures]
    return of_shot(pictures, load_shot_list(find(shot_list)), shot, keyframe, asked, backend)


def _explain(
    pictures: Sequence[Path], evidences: Sequence[Evidence], into: Path | None, console: Console, as_json: bool
) -> bool:
    """Judge each picture and draw what was seen; return whether one is rejected."""
    from undercard.cli import verdict_picture
    from undercard.gate.critic.hearing import hearing
    from undercard.gate.judging import judge

    said = []
    with hearing(settings.load()) as judged:
        for path, evidence in zip(pictures, evidences, strict=True):
            verdict = judge(evidence)
            if judged is not None:
                verdict = judged.heard(verdict, evidence)
            target = (into or path.parent) / f"{path.stem}.gate.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            verdict_picture.annotated(evidence, verdict, path.name).save(target)
            said.append((path, target, verdict))
    if as_json:
        typer.echo(json.dumps([_as_json(*each) for each in said], indent=1, ensure_ascii=False))
    else:
        for each in said:
            _print(*each, console)
    return any(not verdict.accepted for _, _, verdict in said)


def _as_json(picture: Path, target: Path, verdict: Verdict) -> dict[str, object]:
    return {
        "picture": str(picture),
        "annotated": str(target),
        "accepted": verdict.accepted,
        "faults": [fault.value for fault in verdict.faults],
        "causes": list(verdict.causes),
        "findings": [finding.model_dump(mode="json") for finding in verdict.findings],
        "judge": verdict.opinion.model_dump(mode="json") if verdict.opinion is not None else None,
    }


def _print(picture: Path, target: Path, verdict: Verdict, console: Console) -> None:
    word = "[green]accepted[/]" if verdict.accepted else "[red]rejected[/]"
    console.print(f"[bold]{escape(str(picture))}[/]: {word}", highlight=False, soft_wrap=True)
    for finding in verdict.findings:
        if not finding.passed:
            console.print(f"  [red]{finding.check}[/]: {escape(finding.cause)}", highlight=False)
    if verdict.opinion is not None and verdict.accepted:
        heard = f"not heard: {verdict.unheard}" if verdict.unheard else f"lets it pass ({verdict.opinion.judge})"
        console.print(f"  [yellow]judge[/]: {escape(heard)}", highlight=False)
    console.print(f"  every score: {escape(str(target))}", highlight=False, soft_wrap=True)


def _calibrate(folder: Path, backend: str, console: Console, *, as_json: bool) -> None:
    from undercard.gate.calibration import folder as labelled
    from undercard.gate.calibration.fit import as_toml, fit

    fits = fit(labelled.read(folder, backend), backend)
    if as_json:
        typer.echo(json.dumps([_fit_as_json(each) for each in fits], indent=1, ensure_ascii=False))
        return
    console.print(_fit_table(fits))
    typer.echo(as_toml(fits, backend), nl=False)
    console.print("Put what you want of it into undercard/gate/thresholds.toml, and raise gate.REVISION.", style="dim")


def _fit_as_json(fit: Fit) -> dict[str, object]:
    return {
        "check": fit.row.check,
        "fault": fit.row.fault.value,
        "now": fit.row.limit,
        "fitted": fit.limit,
        "good": len(fit.good),
        "good_rejected": fit.rejected(fit.good),
        "faulty": len(fit.faulty),
        "faulty_rejected": fit.rejected(fit.faulty),
    }


def _fit_table(fits: Sequence[Fit]) -> Table:
    table = Table("check", "fault", title="thresholds")
    for heading in ("now", "fitted", "good rejected", "faulty rejected"):
        table.add_column(heading, justify="right")
    for fit in fits:
        table.add_row(
            fit.row.check,
            fit.row.fault.value,
            f"{fit.row.limit:.4g}",
            "–" if fit.limit is None else f"{fit.limit:.4g}",
            f"{fit.rejected(fit.good):.1%} of {len(fit.good)}",
            f"{fit.rejected(fit.faulty):.0%} of {len(fit.faulty)}" if fit.faulty else "none shown",
        )
    return table

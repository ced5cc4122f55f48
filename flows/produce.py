"""Shot list → film: the main job."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from tasks.runner import machine_runner
from tasks.runs import carry_out, ending_in_a_state, run_name
from undercard.planning.choose import AUTO
from undercard.production.options import BackendName, PresetName, RunOptions, ShapeName


@flow(name="produce", flow_run_name=run_name, task_runner=machine_runner())
@ending_in_a_state
def produce(
    shot_list: Path = Path("data/shots/title_fight.yaml"),
    backend: BackendName = AUTO,
    exact: bool = False,
    upgrade: bool = False,
    mixed: bool = False,
    size: str = "",
    shots: str = "",
    start: str = "",
    failed: bool = False,
    again: bool = False,
    take_limit: int | None = None,
    presets: list[PresetName] | None = None,
    shape: ShapeName = "whole",
    handles: bool = False,
) -> Path:
    """Render a shot list into a film, and return the film's path.

    What earlier runs made is used again: a second run renders nothing, and a run after an edit renders what it
    touches. A failing shot does not stop the others.

    Args:
        shot_list: YAML file with the shots; a relative path starts at the project's folder.
        backend: What renders the keyframes; `auto` takes the fastest that this machine has, else the previz.
        exact: Only accept exact bf16 Qwen-Image-Edit pixels.
        upgrade: Render again what was stepped down for want of memory, where a better rung fits now.
        mixed: Let the film have keyframes of renderers that give different pixels.
        size: WIDTHxHEIGHT in pixels; empty for the shot list's own.
        shots: Which shots to render, such as `3,7-9,jab`; empty for all.
        start: Number or id of the first shot to render.
        failed: Render only the shots that lack an accepted keyframe, such as after a failure or a crash.
        again: Render the selected shots anew, with other seeds, although they were accepted.
        take_limit: Takes of a keyframe before the best one is kept for review.
        presets: What to make of the film beside it, such as `hevc`; empty for what the shot list says.
        shape: In which shape: `whole`, `vertical` or `square`.
        handles: Write the film as whole shots with real transitions, too, for editors.

    Raises:
        ShotsFailed: some shots failed; the message names them, and all others are done.
        NeedsReview: every shot is done, and of some keyframes the gate accepted no take.
        MixedFilm: every shot is done, some on a rung of other pixels, and that was not allowed.
    """
    options = RunOptions(
        shot_list=shot_list,
        backend=backend,
        exact=exact,
        upgrade=upgrade,
        mixed=mixed,
        size=size or None,
        shots=shots or None,
        start=start or None,
        failed=failed,
        again=again,
        take_limit=take_limit,
        presets=tuple(presets or ()),
        shape=shape,
        handles=handles,
    )
    return carry_out(options)

"""Shots of a film again, without the parameters of the run that made it: for a deployment of its own."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from tasks.runner import machine_runner
from tasks.runs import carry_out, ending_in_a_state, run_name
from undercard import settings
from undercard.production.rerun import Which, options_for
from undercard.store import Store


@flow(name="rerun", flow_run_name=run_name, task_runner=machine_runner())
@ending_in_a_state
def rerun(film: str = "", which: Which = "failed", shots: str = "", take_limit: int | None = None) -> Path:
    """Render shots of a film again and cut it anew; size, backend and presets are those of its last run.

    It works after a crash, too: what was rendered before it is kept.

    Args:
        film: Name of the film's folder, such as `title-fight-512x288-previz`; empty for the film rendered last.
        which: `failed`: shots without an accepted keyframe. `rejected`: those that the gate rejected. `stepped down`:
            those from a lower rung, if a better one fits now. `listed`: those named below, anew, even if accepted.
        shots: Which shots, for `listed`, such as `3,7-9,jab`.
        take_limit: Takes of a keyframe before the best one is kept for review; empty for as many as last time.

    Raises:
        BadInput: there is no such film, or no such shot in it.
        ShotsFailed: some shots failed; the message names them, and all others are done.
        NeedsReview: every shot is done, and of some keyframes the gate accepted no take.
        MixedFilm: every shot is done, some on a rung of other pixels, and that was not allowed.
    """
    return carry_out(options_for(Store(settings.load().store_root), film, which, shots, take_limit))

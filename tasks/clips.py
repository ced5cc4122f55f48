"""The task that has a video model make a clip between two keyframes."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.context import TaskRunContext
from prefect.logging import get_run_logger

from undercard.backends.clips import ClipRenderer, ClipRequest
from undercard.domain import progress
from undercard.domain.progress import Meter, Stage
from undercard.production.assembly import clips


def _clip_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    return f"clip-{parameters['request'].key}"


@task(
    task_run_name="clip {label}",
    cache_key_fn=_clip_key,
    persist_result=True,
    # A result is read from the store each time, so that a frame gone since is noticed.
    cache_result_in_memory=False,
    result_serializer="json",
)
def make_clip(label: str, request: ClipRequest, renderer: ClipRenderer, meter: Meter) -> clips.MadeClip:
    """Make the clip between two keyframes."""

    def say(stage: Stage) -> None:
        meter.say(f"clip {label} · {stage}")

    with progress.listening(say):
        made = clips.make(request, renderer)
    notes = f"; {'; '.join(made.notes)}" if made.notes else ""
    get_run_logger().info(
        "clip %s: %d frames by %s in %.0f s%s", label, len(made.frames), made.detail, made.seconds, notes
    )
    return made

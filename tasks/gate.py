"""The gate's task: judge one take."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.context import TaskRunContext
from prefect.logging import get_run_logger

from undercard import gate
from undercard.requests import RenderRequest, Take, content_key


def _verdict_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    seen = [parameters["take"].picture.sha256, *(take.picture.sha256 for take in parameters["neighbours"])]
    return "verdict-" + content_key([gate.REVISION, parameters["request"].size, seen])


@task(
    task_run_name="{label} · take {take.number} · gate",
    cache_key_fn=_verdict_key,
    persist_result=True,
    # A result is read from the store each time, so that a file gone since is noticed.
    cache_result_in_memory=False,
    result_serializer="json",
)
def judge_keyframe(label: str, take: Take, request: RenderRequest, neighbours: list[Take]) -> gate.Verdict:
    """Say whether a take can stand in the film, and why not."""
    verdict = gate.judge_files(
        take.picture.absolute, request.size, [neighbour.picture.absolute for neighbour in neighbours]
    )
    if not verdict.accepted:
        get_run_logger().warning("%s: take %d rejected: %s", label, take.number, "; ".join(verdict.causes))
    return verdict

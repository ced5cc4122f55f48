"""One keyframe's tasks: what a model draws it from, and its takes."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.context import TaskRunContext
from prefect.logging import get_run_logger

from undercard.backends import Renderer, Rung
from undercard.domain.requests import Control, RenderRequest, Sheet
from undercard.domain.takes import Approach, Attempt, Take
from undercard.production.keyframes import conditioning, takes

# Raise when a result that an earlier version cached must not be used any more.
SCHEMA = 2


def _control_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    return f"control-{SCHEMA}-{parameters['request'].key}"


def _sheet_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    return f"sheet-{SCHEMA}-{parameters['request'].key}"


def _take_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    # The number is the take's name in the manifest; two takes of one request differ in their seeds already.
    return f"take-{SCHEMA}-{parameters['number']}-{parameters['request'].key}"


@task(
    task_run_name="{label} · control",
    cache_key_fn=_control_key,
    persist_result=True,
    # A result is read from the store each time, so that a file gone since is noticed.
    cache_result_in_memory=False,
    result_serializer="json",
)
def draw_control(label: str, request: RenderRequest) -> Control:
    """Draw the previz frame of a keyframe and the maps that a diffusion model follows."""
    control = conditioning.draw_control(request)
    get_run_logger().info("%s: control image %s", label, control.frame.path)
    return control


@task(
    task_run_name="{fighter} · sheet",
    cache_key_fn=_sheet_key,
    persist_result=True,
    # A result is read from the store each time, so that a file gone since is noticed.
    cache_result_in_memory=False,
    result_serializer="json",
)
def draw_sheet(fighter: str, request: RenderRequest) -> Sheet:
    """Draw the character sheet of a fighter of whom there is no picture."""
    sheet = conditioning.draw_sheet(fighter, request)
    get_run_logger().info("%s: character sheet %s", fighter, sheet.picture.path)
    return sheet


@task(
    task_run_name="{label} · take {number} · {rung.label}",
    cache_key_fn=_take_key,
    persist_result=True,
    # A result is read from the store each time, so that a file gone since is noticed.
    cache_result_in_memory=False,
    result_serializer="json",
)
def render_keyframe(
    label: str,
    number: int,
    rung: Rung,
    request: RenderRequest,
    control: Control | None,
    renderer: Renderer,
    sheets: tuple[Sheet, ...],
    attempts: list[Attempt],
    approach: Approach,
) -> Take:
    """Render one take of a keyframe on one rung; what was tried before it, and this try, are in *attempts*."""
    take = takes.render_take(request, number, rung, renderer, control, attempts, sheets, approach)
    get_run_logger().info("%s: take %d in %.2f s: %s", label, number, take.seconds, take.picture.path)
    return take

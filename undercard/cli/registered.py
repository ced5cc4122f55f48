"""What undercard registers on a Prefect server: its work pool, its deployments, and what notices runs that died."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.server.schemas.states import StateType
from prefect.states import Crashed

from tasks.runs import STATES
from undercard import settings
from undercard.cli.worker_process import HEARTBEAT_SECONDS, POOL
from undercard.errors import UndercardError

SILENT_SECONDS = 3 * HEARTBEAT_SECONDS + 5
"""After as long without a heartbeat, a run's process is gone."""
STUCK_SECONDS = 900
"""A run that a worker took and has not started by then never will be: a worker that died holds it."""
FLOWS = ("produce", "rerun", "keyframes", "assemble", "provision")
"""Of this project, whose runs say that they are alive every `HEARTBEAT_SECONDS`."""
OURS: dict[str, Any] = {
    "match": {"prefect.resource.id": "prefect.flow-run.*"},
    # Other flows of a server may say less often that they are alive.
    "match_related": {"prefect.resource.role": "flow", "prefect.resource.name": list(FLOWS)},
    "for_each": {"prefect.resource.id"},
}
"""Of a trigger: for each run of this project's flows."""
SILENT = (
    *("Completed", "Failed", "Cancelled", "Cancelling", "Crashed", "Paused", "Suspended"),
    *("Scheduled", "Late", "AwaitingRetry", "AwaitingConcurrencySlot", "Resuming"),
)
"""States of Prefect's, by name, in which a run has no heartbeat and needs none: it has ended, or waits."""
DEPLOY_SECONDS = 180


class NotRegistered(UndercardError):
    """A server refused a deployment."""


def automations() -> tuple[AutomationCore, ...]:
    """Return the automations that the server runs."""
    silent = {f"prefect.flow-run.{name}" for name in (*SILENT, *STATES.values())}
    return (
        AutomationCore(
            name="undercard: crash runs whose process died",
            description=f"A run that has sent a heartbeat and then none for {SILENT_SECONDS} s is Crashed: its host or"
            " its process died. Its slot is free again.",
            trigger=EventTrigger(
                **OURS,
                posture=Posture.Proactive,
                after={"prefect.flow-run.heartbeat"},
                expect={"prefect.flow-run.heartbeat", *silent},
                threshold=1,
                within=timedelta(seconds=SILENT_SECONDS),
            ),
            actions=[
                ChangeFlowRunState(
                    state=StateType.CRASHED,
                    message=f"No heartbeat for {SILENT_SECONDS} s: the process or its host died. Run it again:"
                    " what was rendered is kept.",
                )
            ],
        ),
        AutomationCore(
            name="undercard: crash runs that no worker started",
            description=f"A run that is Pending for {STUCK_SECONDS // 60} minutes is Crashed: the worker that took it"
            " died before it began.",
            trigger=EventTrigger(
                **OURS,
                posture=Posture.Proactive,
                after={"prefect.flow-run.Pending"},
                expect={"prefect.flow-run.Running", "prefect.flow-run.Retrying", *silent},
                threshold=1,
                within=timedelta(seconds=STUCK_SECONDS),
            ),
            actions=[
                ChangeFlowRunState(
                    state=StateType.CRASHED,
                    message=f"Pending for {STUCK_SECONDS // 60} minutes: the worker that took it died. Run it again.",
                )
            ],
        ),
    )


def register_automations() -> None:
    """Register `automations` on the configured server, in place of those of the same names.

    One that somebody switched off stays off.
    """
    with get_client(sync_client=True) as client:
        for wanted in automations():
            known = next(iter(client.read_automations_by_name(wanted.name)), None)
            if known is None:
                client.create_automation(wanted)
            elif (known.trigger, known.actions, known.description) != (
                wanted.trigger,
                wanted.actions,
                wanted.description,
            ):
                # Not otherwise: an update forgets the runs that the server watches at the moment.
                client.update_automation(known.id, wanted.model_copy(update={"enabled": known.enabled}))


def reconcile() -> int:
    """Crash the runs of the configured server whose process died unnoticed, such as under an earlier version.

    Returns:
        How many there were.
    """
    now, found = datetime.now(UTC), 0
    with get_client(sync_client=True) as client:
        wanted = FlowRunFilter(state={"type": {"any_": [StateType.RUNNING]}})
        for run in client.read_flow_runs(flow_filter=FlowFilter(name={"any_": list(FLOWS)}), flow_run_filter=wanted):
            events = client.request("POST", "/events/filter", json=_heartbeats_of(run.id)).json()["events"]
            last = datetime.fromisoformat(events[0]["occurred"]) if events else run.start_time
            if last is not None and (now - last).total_seconds() > SILENT_SECONDS:
                message = f"No heartbeat since {last:%Y-%m-%d %H:%M} UTC: the process or its host died. Run it again."
                client.set_flow_run_state(run.id, Crashed(message=message), force=True)
                found += 1
    return found


def _heartbeats_of(run_id: UUID) -> dict[str, object]:
    resource = {"id": [f"prefect.flow-run.{run_id}"]}
    return {"filter": {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": resource}, "limit": 1}


def register(url: str) -> int:
    """Register the work pool, the deployments and the automations on the server at *url*, and `reconcile` its runs.

    Returns:
        How many runs were found whose process had died unnoticed.

    Raises:
        NotRegistered: it refused a deployment.
    """
    from prefect.settings import PREFECT_API_URL, temporary_settings

    _prefect(url, "work-pool", "create", POOL, "--type", "process", "--overwrite")
    _prefect(url, "deploy", "--all", "--prefect-file", str(deployments_file()))
    with temporary_settings({PREFECT_API_URL: url}):
        register_automations()
        return reconcile()


def deployments_file() -> Path:
    """Return the project's prefect.yaml, or its copy in the package where there is no checkout."""
    own = settings.project_root() / "prefect.yaml"
    return own if own.is_file() else Path(__file__).parents[1] / "assets" / "prefect.yaml"


def _prefect(url: str, *arguments: str) -> None:
    """Run Prefect's command line against the server at *url*."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        env=settings.child_environment({"PREFECT_API_URL": url, "NO_COLOR": "1"}),
        cwd=settings.project_root(),
        capture_output=True,
        text=True,
        timeout=DEPLOY_SECONDS,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotRegistered(f"`prefect {' '.join(arguments[:2])}` failed: {said[-1] if said else done.returncode}")

"""The tasks that fetch a backend's models and prove that it works."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.tasks import Task

from tasks.listener import Listener
from undercard import settings
from undercard.domain.progress import Meter
from undercard.domain.ticker import every
from undercard.domain.units import gigabytes
from undercard.errors import HubUnreachable
from undercard.hardware.probe import this_device
from undercard.models import provisioning
from undercard.models.fetching import Fetcher
from undercard.models.hub import Hub
from undercard.planning import recommend
from undercard.production.proof import Proof, prove

# Each move of the bar is a request to the server, and nobody watches it closer than this.
MOVE_SECONDS = 5.0
RETRY_DELAY_SECONDS = [10.0, 60.0, 300.0, 900.0]


def _is_of_the_network(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Say whether another try may work; a full disk or a wrong file stays what it is."""
    return isinstance(state.result(raise_on_failure=False), HubUnreachable)


@task(
    task_run_name="fetch models of {title}",
    retries=len(RETRY_DELAY_SECONDS),
    retry_delay_seconds=RETRY_DELAY_SECONDS,
    retry_condition_fn=_is_of_the_network,
)
def fetch_models(title: str, backend: str | None, model: str | None, verify: bool) -> int:
    """Fetch what *backend*, or the model of that name, needs; return the bytes that came over the network.

    Never cached, since the machine may have changed; what arrived before a failure is kept, and a retry goes on there.
    """
    log = get_run_logger()
    chosen = settings.load()
    picks = recommend.picks_for(backend, model, this_device(chosen), chosen)
    planned = provisioning.plan(title, picks, Hub(), chosen, verify=verify)
    for item in planned.items:
        log.info("%s: %s", item.model.title, item.path if item.there else f"{gigabytes(item.left_bytes)} to fetch")
    if planned.is_done:
        return 0
    fetcher = Fetcher(Hub(), Meter(), chosen)
    listener = Listener(log)
    artifact = listener.tell(
        create_progress_artifact, progress=0.0, key="models", description=f"{title}: models from {planned.address}"
    )

    def move() -> None:
        if isinstance(artifact, UUID):
            listener.tell(update_progress_artifact, artifact, progress=round(100.0 * fetcher.meter.fraction, 1))

    try:
        with every(MOVE_SECONDS, move):
            provisioning.fetch(planned, fetcher)
    finally:
        for note in fetcher.notes:
            log.warning("%s", note)
    log.info("%s fetched and verified", gigabytes(planned.left_bytes))
    return planned.left_bytes


@task(task_run_name="prove {backend}", retries=0)
def prove_backend(backend: str) -> Proof:
    """Open a backend and render with it; never cached, since the machine may have changed."""
    chosen = settings.load()
    proof = prove(backend, this_device(chosen), chosen)
    get_run_logger().info(
        "%s: opened in %.1f s, first picture %.2f s, second %.2f s",
        proof.backend,
        proof.open_seconds,
        proof.first_seconds,
        proof.second_seconds,
    )
    return proof

"""The task that proves a backend."""

from __future__ import annotations

from prefect import task
from prefect.logging import get_run_logger

from undercard import provisioning
from undercard.devices import this_device


@task(task_run_name="prove {backend}", retries=0)
def prove_backend(backend: str) -> provisioning.Proof:
    """Open a backend and render with it; never cached, since the machine may have changed."""
    proof = provisioning.prove(backend, this_device())
    get_run_logger().info(
        "%s: opened in %.1f s, first picture %.2f s, second %.2f s",
        proof.backend,
        proof.open_seconds,
        proof.first_seconds,
        proof.second_seconds,
    )
    return proof

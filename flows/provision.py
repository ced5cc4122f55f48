"""Make sure that a backend works on this machine before a render needs it."""

from __future__ import annotations

from prefect import flow

from tasks.provisioning import prove_backend
from undercard.options import BackendName
from undercard.provisioning import Proof


@flow(name="provision", flow_run_name="provision · {backend}")
def provision(backend: BackendName = "previz") -> Proof:
    """Prove that a backend works here by rendering with it, and return how long it took.

    Args:
        backend: Which backend to prove.

    Raises:
        BackendUnavailable: it cannot run here; the message says what would change that.
    """
    return prove_backend(backend)

"""Make sure that a backend works on this machine before a render needs it: its models are there, and it renders."""

from __future__ import annotations

from prefect import flow

from tasks.provisioning import fetch_models, prove_backend
from tasks.runs import ending_in_a_state
from undercard import settings
from undercard.hardware.probe import this_device
from undercard.planning import recommend
from undercard.planning.choose import AUTO, PREVIZ
from undercard.production.options import BackendName
from undercard.production.proof import Proof


@flow(name="provision", flow_run_name="provision · {backend}")
@ending_in_a_state
def provision(
    backend: BackendName = AUTO, model: str | None = None, verify: bool = False, prove: bool = True
) -> Proof | None:
    """Fetch the models that a backend renders with, verify them, and prove the backend by rendering with it.

    Args:
        backend: Whose models; `auto` takes the one that suits this machine best, the previz where there is no card.
        model: Which of the backend's models, by its name in data/models.toml; empty for the one it prefers.
        verify: Also compare the SHA-256 of what is there already with the hub's.
        prove: Render a small picture with the backend in the end.

    Raises:
        ProvisionError: something could not be fetched; what arrived is kept, and the next run goes on from there.
        BackendUnavailable: it cannot run here; the message says what would change that.
    """
    chosen = settings.load()
    name = recommend.backend_for(this_device(chosen), chosen) or PREVIZ if backend == AUTO else backend
    if model or recommend.needs_models(name, chosen):
        owner = None if model and backend == AUTO else name
        fetch_models(model or name, owner, model or None, verify)
    return prove_backend(name) if prove else None

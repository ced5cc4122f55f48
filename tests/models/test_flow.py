"""The flow that fetches a backend's models, on a real Prefect server."""

from __future__ import annotations

from functools import partial
from typing import cast
from unittest.mock import Mock

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

import tasks.provisioning
from flows.provision import provision
from tests import here
from tests.fakes import tiny_models
from tests.fakes.hub_server import Fault, Published
from undercard.errors import HubRefused
from undercard.models import weights
from undercard.models.fetching import Fetcher
from undercard.models.hub import Hub

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def impatient(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tasks ask the tests' hub, and not wait between tries."""
    monkeypatch.setattr(tasks.provisioning, "Hub", partial(Hub, published.url, patience=()))
    monkeypatch.setattr(tasks.provisioning, "Fetcher", partial(Fetcher, first_pause=0.0))
    monkeypatch.setattr(tasks.provisioning.fetch_models, "retry_delay_seconds", [0.0] * 4)


def progress() -> list[float]:
    """Return how far the bars stand in Prefect's UI."""
    # By key: the server tells two hundred at a time, and other tests have left more.
    models = ArtifactFilter(key=ArtifactFilterKey(any_=["models"]))
    with get_client(sync_client=True) as client:
        artifacts = client.read_artifacts(artifact_filter=models)
    return [cast("float", artifact.data) for artifact in artifacts]


def test_the_flow_fetches_what_a_backend_needs_and_shows_how_far_it_is(published: Published) -> None:
    assert provision(backend="gguf", prove=False) is None

    assert weights.missing("gguf", here.settings()) is None
    assert 100.0 in progress()


def test_a_server_that_no_longer_listens_ends_no_fetch(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Mock(side_effect=httpx.ConnectError("connection refused"))
    monkeypatch.setattr(tasks.provisioning, "update_progress_artifact", refused)

    provision(backend="gguf", prove=False)

    assert refused.called
    assert weights.missing("gguf", here.settings()) is None


def test_an_unreachable_hub_is_tried_again(published: Published) -> None:
    published.faults.append(Fault("/revision/main", "status", times=2, status=503))

    provision(backend="gguf", prove=False)

    assert weights.missing("gguf", here.settings()) is None


def test_what_the_hub_refuses_is_not_asked_again(published: Published) -> None:
    del published.repositories[tiny_models.LORA]

    with pytest.raises(HubRefused, match="has no such repository"):
        provision(backend="gguf", prove=False)

    assert len([path for path in published.paths() if tiny_models.LORA in path]) == 1


def test_without_a_card_there_is_nothing_to_fetch_and_the_previz_is_proved(published: Published) -> None:
    proof = provision()

    assert proof is not None
    assert proof.backend == "previz"
    assert published.asked == []

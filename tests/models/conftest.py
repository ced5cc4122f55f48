"""A hub with tiny models in the true formats, a catalogue of them, and nothing else on the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.models import tiny_models
from tests.models.hub_server import Published, Repository, serving
from undercard import weights


@pytest.fixture(scope="session")
def tiny_repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Repository]:
    """Build the tiny models, once a session."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return tiny_models.publish(tmp_path_factory.mktemp("published"))
    finally:
        torch.set_num_threads(threads)


@pytest.fixture
def published(
    tiny_repositories: dict[str, Repository], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Published]:
    """Serve the tiny models, each test its own hub, and let the settings name their catalogue."""
    catalogue = tmp_path / "models.toml"
    catalogue.write_text(tiny_models.catalogue(tiny_repositories))
    monkeypatch.setenv("UNDERCARD_CATALOGUE", str(catalogue))
    # Else huggingface_hub asks the real hub, once a process, which programs there are that might be driving it.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)
    repositories = {
        name: replace(repository, files=dict(repository.files)) for name, repository in tiny_repositories.items()
    }
    weights.forget()
    with serving(Published(repositories)) as hub:
        yield hub

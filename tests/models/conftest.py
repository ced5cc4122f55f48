"""A hub with tiny models in the true formats, a catalogue of them, what fetches them, and nothing else here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests import here
from tests.fakes import tiny_models
from tests.fakes.cards import machine
from tests.fakes.hub_server import Published, Repository, serving
from tests.fakes.tiny_models import GGUF_FILE
from undercard.domain.progress import Meter
from undercard.models import catalogue_file, presence, provisioning, weights
from undercard.models.fetching import Fetcher
from undercard.models.hub import Hub, RemoteFile
from undercard.models.provisioning import FetchPlan
from undercard.planning import recommend


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


@pytest.fixture
def hub(published: Published) -> Hub:
    """Return the hub as it is asked, once and not again where it is busy."""
    return Hub(published.url, patience=())


@pytest.fixture
def fetcher(hub: Hub) -> Fetcher:
    return Fetcher(hub, Meter(), here.settings(), first_pause=0.0)


@pytest.fixture
def remote(hub: Hub) -> RemoteFile:
    return hub.listing(tiny_models.GGUF, "main").files[GGUF_FILE]


@pytest.fixture
def content(published: Published) -> bytes:
    return published.repositories[tiny_models.GGUF].files[GGUF_FILE]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return where a file goes: into a folder with nothing else in it."""
    (tmp_path / "new").mkdir()
    return tmp_path / "new" / GGUF_FILE


def ranges(published: Published) -> list[str]:
    """Return the ranges that the storage was asked for."""
    return [asked.headers.get("Range", "") for asked in published.asked if "signature" in asked.path]


def beside(target: Path) -> list[str]:
    """Return what lies in the folder of *target*."""
    return sorted(path.name for path in target.parent.iterdir())


def planned(hub: Hub, backend: str | None = "gguf", model: str | None = None, *, verify: bool = False) -> FetchPlan:
    return provisioning.plan(
        "a plan", recommend.picks_for(backend, model, machine(), here.settings()), hub, here.settings(), verify=verify
    )


def fetched(hub: Hub, backend: str = "gguf", model: str | None = None) -> Fetcher:
    """Fetch what *backend* needs and return what did."""
    fetcher = Fetcher(hub, Meter(), here.settings(), first_pause=0.0)
    provisioning.fetch(planned(hub, backend, model), fetcher)
    return fetcher


def place_of(model: str) -> Path:
    """Return where *model* of the catalogue goes."""
    return presence.target_of(catalogue_file.load(here.settings()).named(model), here.settings())

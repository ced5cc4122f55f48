"""Fixtures for the whole suite: a store of its own for every test, and one Prefect server for the tests of flows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples each time: what a run finds, the next one finds again. `--hypothesis-profile=default` explores.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test an empty store, and no models but those that it brings."""
    root = tmp_path / "store"
    monkeypatch.setenv("UNDERCARD_STORE", str(root))
    monkeypatch.setenv("UNDERCARD_MODEL_STORE", str(tmp_path / "models"))
    # huggingface_hub reads its variables once, when it is imported.
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return root


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Run a temporary Prefect server for the session."""
    from prefect.testing.utilities import prefect_test_harness

    with pytest.MonkeyPatch.context() as patch:
        # A test suite has nobody to report to.
        patch.setenv("DO_NOT_TRACK", "1")
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        with prefect_test_harness(server_startup_timeout=120):
            yield

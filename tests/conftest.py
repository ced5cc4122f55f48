"""Fixtures for the whole suite: a store of its own for every test, and one Prefect server for the tests of flows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.paths import DATA

if TYPE_CHECKING:
    from tests.fakes.comfyui.server import FakeComfy
    from tests.fakes.judge import FakeJudge

NUNCHAKU = DATA / "nunchaku"

# The same examples each time: what a run finds, the next one finds again. `--hypothesis-profile=default` explores.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let other answers of nunchaku's kernels be compared with than the project's own."""
    parser.addoption(
        "--svdq-fixtures",
        metavar="FOLDER",
        type=Path,
        default=NUNCHAKU,
        help="pairs of X.safetensors, in nunchaku's format, and X.expected.safetensors, what its kernels answered",
    )


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test an empty store, and no models but those that it brings."""
    root = tmp_path / "store"
    monkeypatch.setenv("UNDERCARD_STORE", str(root))
    monkeypatch.setenv("UNDERCARD_MODEL_STORE", str(tmp_path / "models"))
    # Cards of one test are none of another's.
    monkeypatch.setenv("UNDERCARD_TURNS", str(tmp_path / "turns"))
    # huggingface_hub reads its variables once, when it is imported.
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    # A ComfyUI that runs on this machine is no test's business, and nothing answers at this port.
    monkeypatch.setenv("UNDERCARD_COMFYUI", "http://127.0.0.1:1")
    # Nor does anybody judge that a test has not appointed.
    monkeypatch.delenv("UNDERCARD_JUDGE", raising=False)
    return root


@pytest.fixture(scope="session")
def comfyui_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeComfy]:
    """Run a ComfyUI for the session."""
    # Most tests need no server.
    from tests.fakes.comfyui.server import serving

    with serving(tmp_path_factory.mktemp("comfyui")) as fake:
        yield fake


@pytest.fixture
def comfyui(comfyui_server: FakeComfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeComfy:
    """Give the test a ComfyUI that has done nothing yet."""
    from undercard.backends.comfy import server

    server.memory.forget()
    comfyui_server.begin_anew(tmp_path / "comfyui")
    monkeypatch.setenv("UNDERCARD_COMFYUI", comfyui_server.url)
    return comfyui_server


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeJudge]:
    """Run a judge, whom the settings name."""
    from tests.fakes.judge import MODEL, serving

    with serving() as server:
        monkeypatch.setenv("UNDERCARD_JUDGE", server.url)
        monkeypatch.setenv("UNDERCARD_JUDGE_MODEL", MODEL)
        yield server


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

"""The borrowed Prefect server, for real: started, found again, ended when idle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from tests.paths import ROOT
from undercard.cli import local_server

SHOTS = ROOT / "data" / "shots"


@pytest.fixture
def prefect_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "prefect"
    monkeypatch.setenv("PREFECT_HOME", str(home))
    return home


def gone(pid: int, within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_home")
def test_a_server_is_started_once_and_found_again(tmp_path: Path) -> None:
    state = tmp_path / "server.json"
    first = local_server.borrow(state)
    assert first.process is not None
    try:
        started = first.ready()
        again = local_server.borrow(state)

        assert again.process is None
        assert again.ready() == started
        assert started.url.startswith("http://127.0.0.1:")
        # The pages look for the API where they are told, which is port 4200 unless said otherwise.
        with urllib.request.urlopen(f"{started.dashboard}/ui-settings", timeout=10) as answer:
            assert json.load(answer)["api_url"] == started.url
    finally:
        os.kill(first.process.pid, signal.SIGTERM)
        first.process.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_home")
def test_a_server_that_nobody_asks_ends_by_itself(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from undercard.cli import local_server;"
        "local_server.serve(Path(sys.argv[1]), idle_seconds=1.0)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "server.json")])
    try:
        assert gone(process.pid, within_seconds=90)
    finally:
        if process.poll() is None:
            process.kill()


@pytest.mark.usefixtures("prefect_home")
def test_two_terminals_that_start_at_once_share_one_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_server, "answers", lambda _server: True)
    state = tmp_path / "server.json"
    first = local_server.borrow(state)
    assert first.process is not None
    try:
        with ThreadPoolExecutor(1) as other:
            second = other.submit(local_server.borrow, state)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.5)

            started = first.ready()

            assert second.result(timeout=30).process is None
            assert second.result().ready() == started
    finally:
        first.process.kill()
        first.process.wait(timeout=30)


def test_a_server_that_another_terminal_never_gets_ready_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_server, "START_SECONDS", 0.2)
    with (
        FileLock(tmp_path / "server.lock"),
        pytest.raises(local_server.ServerDidNotStart, match="set PREFECT_API_URL"),
    ):
        local_server.borrow(tmp_path / "server.json")


def test_a_server_that_cannot_start_is_reported_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_server, "__name__", "undercard.cli.no_such_module")
    starting = local_server.borrow(tmp_path / "server.json")

    with pytest.raises(local_server.ServerDidNotStart, match=r"ended with 1; see .*server\.log"):
        starting.ready()

    assert "no_such_module" in (tmp_path / "server.log").read_text()


def test_a_state_file_that_is_damaged_is_not_believed(tmp_path: Path) -> None:
    state = tmp_path / "server.json"
    state.write_text('{"url": 3')

    assert local_server.remembered_in(state) is None


@pytest.mark.slow
def test_a_server_that_dies_in_the_middle_of_a_render_costs_it_nothing(
    prefect_home: Path, store: Path, tmp_path: Path
) -> None:
    # Where a process of its own looks for it; this one may have another home by its tests' server.
    starting = local_server.borrow(prefect_home / "undercard-server.json")
    server = starting.ready()
    assert starting.process is not None
    command = [sys.executable, "-c", "from undercard.cli.app import app; app()", "render", str(SHOTS / "sparring.yaml")]
    # Prefect asks a server again that it has lost, for more than a minute by default.
    environment = {**os.environ, "PREFECT_CLIENT_MAX_RETRIES": "1", "COLUMNS": "200"}
    environment.pop("PREFECT_API_URL", None)
    with (tmp_path / "said").open("w+") as said:
        render = subprocess.Popen([*command, "--size", "640x360"], env=environment, stdout=said, stderr=said)
        while not any(store.glob("results/take-*")):
            assert render.poll() is None, (tmp_path / "said").read_text()
            time.sleep(0.05)
        starting.process.kill()
        starting.process.wait(timeout=30)

        assert render.wait(timeout=180) == 0, (tmp_path / "said").read_text()

    told = (tmp_path / "said").read_text()
    assert not local_server.answers(server)
    assert "Prefect's server went away, so it does not know how this run ended." in told
    assert "3 shots · 3 accepted" in told
    assert next((store / "films").glob("sparring-640x360-previz/film.mp4")).is_file()
    # What Prefect says of each event that it could not tell is nobody's business here.
    assert "EventsWorker" not in told

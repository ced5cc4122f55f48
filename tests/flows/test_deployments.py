"""prefect.yaml on a real local server: everything deploys, and a worker renders a film."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from undercard.cli import local_server
from undercard.settings import project_root

pytestmark = pytest.mark.slow


class Prefect:
    """Prefect's command line against one server."""

    def __init__(self, server: local_server.LocalServer, home: Path, store: Path) -> None:
        self.server = server
        self.store = store
        self.environment = {
            **os.environ,
            "PREFECT_API_URL": server.url,
            "PREFECT_HOME": str(home),
            "UNDERCARD_STORE": str(store),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            cwd=project_root(),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, path: str, body: dict[str, object]) -> object:
        request = urllib.request.Request(
            f"{self.server.url}/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    home = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(home))
        starting = local_server.borrow(home / "server.json")
        server = starting.ready()
    assert starting.process is not None
    try:
        command = Prefect(server, home, home / "store")
        command("work-pool", "create", "undercard", "--type", "process")
        command("deploy", "--all")
        yield command
    finally:
        starting.process.terminate()
        starting.process.wait(timeout=30)


def test_every_deployment_is_there_with_its_schedule_limit_and_form(prefect: Prefect) -> None:
    found = prefect.ask("deployments/filter", {})
    assert isinstance(found, list)
    deployments = {deployment["name"]: deployment for deployment in found}

    assert set(deployments) == {"render-film", "rerun-shots", "provision"}
    render = deployments["render-film"]
    assert render["schedules"][0]["schedule"]["cron"] == "0 2 * * *"
    assert render["global_concurrency_limit"]["limit"] == 1
    form = render["parameter_openapi_schema"]["properties"]
    assert {"shot_list", "shots", "backend", "exact", "size", "failed"} <= set(form)
    assert "previz" in form["backend"]["enum"]
    assert "Which shots to render" in form["shots"]["description"]


def started(prefect: Prefect, film: Path) -> str:
    """Start a deployment run of *film*, let a worker finish it, and return the run's id."""
    printed = prefect(
        "deployment", "run", "produce/render-film", "--param", f"shot_list={film}", "--param", "size=128x72"
    )
    run_id = re.search(r"UUID: ([0-9a-f-]{36})", printed)
    assert run_id is not None, printed
    prefect("worker", "start", "--pool", "undercard", "--limit", "1", "--run-once")
    return run_id[1]


def state_of(prefect: Prefect, run_id: str) -> dict[str, str]:
    runs = prefect.ask("flow_runs/filter", {"flow_runs": {"id": {"any_": [run_id]}}})
    assert isinstance(runs, list)
    state = runs[0]["state"]
    assert isinstance(state, dict)
    return state


def test_a_worker_renders_a_deployment_run_and_its_contact_sheet_is_an_artifact(prefect: Prefect, film: Path) -> None:
    run_id = started(prefect, film)

    assert state_of(prefect, run_id)["type"] == "COMPLETED", state_of(prefect, run_id)
    artifacts = prefect.ask("artifacts/filter", {})
    assert isinstance(artifacts, list)
    by_key = {artifact["key"]: artifact for artifact in artifacts}
    assert {"contact-sheet", "shots", "film", "keyframes"} <= set(by_key)
    assert by_key["contact-sheet"]["data"].startswith("data:image/jpeg;base64,")
    rows = json.loads(by_key["shots"]["data"])
    assert [row["status"] for row in rows] == ["accepted"] * 3


def test_a_run_that_failed_completes_when_it_is_retried(prefect: Prefect, film: Path, tmp_path: Path) -> None:
    healthy = film.read_text().replace("Three small shots", "Retried")
    # A camera over the roof that looks up sees nothing, take after take.
    film.write_text(
        healthy.replace("camera: ringside", "camera: {position: [0, 40, 0], target: [0, 50, 1], lens_mm: 50}")
    )
    run_id = started(prefect, film)
    failed = state_of(prefect, run_id)
    assert failed["type"] == "FAILED"
    assert "the gate rejected every take of jab-01, jab-02 (jab-01: nothing in" in failed["message"]
    film.write_text(healthy)

    prefect("flow-run", "retry", run_id)
    prefect("worker", "start", "--pool", "undercard", "--limit", "1", "--run-once")

    assert state_of(prefect, run_id)["type"] == "COMPLETED", state_of(prefect, run_id)
    assert next((prefect.store / "films").glob("retried-*/film.mp4")).is_file()


def test_a_parameter_that_the_form_does_not_know_is_refused(prefect: Prefect) -> None:
    with pytest.raises(AssertionError, match="no_such_parameter"):
        prefect("deployment", "run", "produce/render-film", "--param", "no_such_parameter=1")

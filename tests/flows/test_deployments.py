"""`undercard server up` for real: a server, a worker, deployments that render, schedules, and runs that die."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from undercard.settings import project_root

pytestmark = pytest.mark.slow

UNDERCARD = (sys.executable, "-c", "from undercard.cli.app import app; app()")
DEAD_SECONDS = 120.0
"""In which a run whose process died is to be noticed."""


class Host:
    """A machine with a Prefect home and a store of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.home, self.store = folder / "prefect", folder / "store"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"},
            "PREFECT_HOME": str(self.home),
            "UNDERCARD_STORE": str(self.store),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    def run(self, *command: str, status: int = 0, **variables: str) -> str:
        done = subprocess.run(
            command,
            cwd=project_root(),
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def undercard(self, *arguments: str, status: int = 0) -> str:
        return self.run(*UNDERCARD, *arguments, status=status)

    def prefect(self, *arguments: str, status: int = 0) -> str:
        return self.run(
            sys.executable, "-m", "prefect", "--no-prompt", *arguments, status=status, PREFECT_API_URL=self.url
        )

    def ask(self, path: str, body: dict[str, object] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def start(self, deployment: str, **parameters: str) -> str:
        """Start a deployment run, and return its id."""
        given = [part for name, value in parameters.items() for part in ("--param", f"{name}={value}")]
        run_id = re.search(r"UUID: ([0-9a-f-]{36})", told := self.prefect("deployment", "run", deployment, *given))
        assert run_id is not None, told
        return run_id[1]

    def wait(self, run_id: str, seconds: float = 180.0) -> dict[str, Any]:
        """Wait until the run has ended, and return its last state."""
        self.until(lambda: self.state(run_id)["type"] not in {"SCHEDULED", "PENDING", "RUNNING"}, seconds)
        return self.state(run_id)

    def state(self, run_id: str) -> dict[str, Any]:
        state: dict[str, Any] = self.ask(f"flow_runs/{run_id}")["state"]
        return state

    def until(self, happened: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, self.undercard("server", "status", status=0)
            time.sleep(0.5)

    def noted(self, name: str) -> dict[str, Any]:
        noted: dict[str, Any] = json.loads((self.home / f"undercard-{name}.json").read_text())
        return noted


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    here = Host(tmp_path_factory.mktemp("host"))
    up = (*UNDERCARD, "server", "up", "--port", str(here.port))
    # Two terminals at once.
    with subprocess.Popen(up, cwd=project_root(), env=here.environment, stdout=subprocess.DEVNULL):
        here.undercard("server", "up", "--port", str(here.port))
    try:
        yield here
    finally:
        here.undercard("server", "down", "--force")


def test_everything_is_up_and_a_second_up_changes_nothing(host: Host) -> None:
    server, worker = host.noted("server"), host.noted("worker")

    host.undercard("server", "up", "--port", str(host.port))
    told = host.undercard("server", "status")

    assert (host.noted("server"), host.noted("worker")) == (server, worker)
    assert server["url"] == host.url
    assert re.search(r"^worker +undercard on ", told, re.MULTILINE)
    workers = [process for process in psutil.process_iter(["cmdline", "environ"]) if _is_worker_of(process, host)]
    assert [process.pid for process in workers] == [worker["pid"]]
    assert re.search(r"^watching runs whose process dies", told, re.MULTILINE)
    assert re.search(r"^running +nothing", told, re.MULTILINE)
    assert len(host.ask("automations/filter", {})) == 2


def _is_worker_of(process: psutil.Process, host: Host) -> bool:
    try:
        command, variables = process.info["cmdline"] or [], process.info["environ"] or {}
    except psutil.Error:
        return False
    return {"prefect", "worker"} <= set(command) and variables.get("PREFECT_HOME") == str(host.home)


def test_every_deployment_is_there_with_its_queue_and_form_and_none_starts_by_itself(host: Host) -> None:
    found = {deployment["name"]: deployment for deployment in host.ask("deployments/filter", {})}

    assert {name: each["work_queue_name"] for name, each in found.items()} == {
        "render-film": "interactive",
        "nightly": "nightly",
        "rerun-shots": "interactive",
        "upgrade": "nightly",
        "provision": "interactive",
    }
    assert [each["schedules"] for each in found.values()] == [[]] * 5
    queues = {queue["name"]: queue["priority"] for queue in host.ask("work_pools/undercard/queues/filter", {})}
    assert queues["interactive"] < queues["nightly"]
    form = found["render-film"]["parameter_openapi_schema"]["properties"]
    assert {"shot_list", "shots", "backend", "exact", "size", "failed", "again"} <= set(form)
    assert "previz" in form["backend"]["enum"]
    assert "Which shots to render" in form["shots"]["description"]
    assert form["shape"]["enum"] == ["whole", "vertical", "square"]
    # Plain fields: a form asks for the type of what may be nothing.
    assert {form[name]["type"] for name in ("size", "shots", "start")} == {"string"}
    which = found["rerun-shots"]["parameter_openapi_schema"]["properties"]["which"]
    assert which["enum"] == ["failed", "rejected", "stepped down", "listed"]
    assert found["upgrade"]["parameters"] == {"which": "stepped down"}


def test_a_worker_renders_a_film_and_its_run_has_the_artifacts_of_that_film(host: Host, film: Path) -> None:
    run_id = host.start("produce/render-film", shot_list=str(film), size="128x72")

    assert host.wait(run_id)["type"] == "COMPLETED"
    run = host.ask(f"flow_runs/{run_id}")
    assert run["name"] == f"produce · {film.stem} · 128x72 · auto"
    mine = host.ask("artifacts/filter", {"flow_runs": {"id": {"any_": [run_id]}}})
    by_key = {artifact["key"]: artifact for artifact in mine}
    key = "three-small-shots-128x72-previz"
    assert {f"{key}-contact-sheet", f"{key}-shots", f"{key}-film", f"{key}-keyframes"} <= set(by_key)
    assert by_key[f"{key}-contact-sheet"]["data"].startswith("data:image/jpeg;base64,")
    rows = json.loads(by_key[f"{key}-shots"]["data"])
    assert [row["status"] for row in rows] == ["accepted"] * 3
    assert str(host.store / "films" / key / "film.mp4") in by_key[f"{key}-film"]["data"]


class Receiver(BaseHTTPRequestHandler):
    """A webhook that keeps what it is sent."""

    received: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_how_a_run_ends_is_sent_to_a_webhook_until_that_is_switched_off(host: Host, film: Path) -> None:
    film.write_text(film.read_text().replace("Three small shots", "Told"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host.undercard("notify", f"http://127.0.0.1:{server.server_port}/hook")

        host.wait(host.start("produce/render-film", shot_list=str(film), size="128x72"))
        host.wait(host.start("rerun/rerun-shots", which="listed"))

        host.until(lambda: len(Receiver.received) >= 2, 60)
        server.shutdown()
    subjects = sorted(told["subject"] for told in Receiver.received)
    assert subjects == ["produce · film · 128x72 · auto: Completed", "rerun · listed: Failed"]
    failed = next(told["text"] for told in Receiver.received if "Failed" in told["subject"])
    assert "no shot is named; write numbers, ranges or ids into `shots`" in failed

    assert "Nothing is sent any more." in host.undercard("notify", "--off")
    assert "Nothing was sent." in host.undercard("notify", "--off")
    assert "block 'slack-webhook/mine' does not exist" in host.undercard(
        "notify", "--block", "slack-webhook/mine", status=2
    )


def test_a_run_that_needs_review_says_so_without_a_traceback_and_completes_when_it_is_retried(
    host: Host, film: Path
) -> None:
    healthy = film.read_text().replace("Three small shots", "Retried")
    # A camera over the roof that looks up sees nothing, take after take.
    film.write_text(
        healthy.replace("camera: ringside", "camera: {position: [0, 40, 0], target: [0, 50, 1], lens_mm: 50}")
    )
    run_id = host.start("produce/render-film", shot_list=str(film), size="128x72")
    state = host.wait(run_id)
    assert (state["type"], state["name"]) == ("FAILED", "Needs review")
    assert state["message"].startswith("the gate rejected every take of jab-01, jab-02 (jab-01: nothing in")
    # A run's process tells its last lines when it ends.
    host.until(lambda: not psutil.Process(host.noted("worker")["pid"]).children(), 60)
    logs = host.ask("logs/filter", {"logs": {"flow_run_id": {"any_": [run_id]}}})
    assert any("Finished in state Needs review" in line["message"] for line in logs)
    assert [line["message"] for line in logs if "Traceback" in line["message"]] == []
    film.write_text(healthy)

    host.prefect("flow-run", "retry", run_id)

    assert host.wait(run_id)["type"] == "COMPLETED"
    assert next((host.store / "films").glob("retried-*/film.mp4")).is_file()


def test_a_parameter_that_the_form_does_not_know_is_refused(host: Host) -> None:
    told = host.prefect("deployment", "run", "produce/render-film", "--param", "no_such_parameter=1", status=1)

    assert "no_such_parameter" in told


def test_a_shot_list_gets_a_schedule_that_another_up_leaves_alone(host: Host, film: Path) -> None:
    def schedules() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = host.ask("deployments/name/produce/nightly")["schedules"]
        return found

    host.undercard("schedule", str(film), "--cron", "0 1 * * *", "--size", "128x72")
    host.undercard("schedule", str(film), "--cron", "30 1 * * *", "--timezone", "Europe/Berlin", "--size", "128x72")
    refused = host.undercard("schedule", str(film), "--cron", "at night", status=2)
    host.undercard("server", "up", "--port", str(host.port))

    (only,) = schedules()
    assert 'Invalid cron string: "at night"' in refused
    assert (only["schedule"]["cron"], only["schedule"]["timezone"]) == ("30 1 * * *", "Europe/Berlin")
    assert only["parameters"] == {"shot_list": str(film), "size": "128x72", "backend": "auto"}
    assert "three-small-shots: 30 1 * * * (Europe/Berlin)" in host.undercard("server", "status")

    host.undercard("schedule", str(film), "--off")
    assert schedules() == []


def test_a_run_whose_host_dies_is_crashed_soon_and_what_is_left_is_rendered_next(host: Host, film: Path) -> None:
    film.write_text(film.read_text().replace("Three small shots", "Died").replace("size: 128x72", "size: 640x360"))
    run_id = host.start("produce/render-film", shot_list=str(film), size="1280x720")
    worker = psutil.Process(host.noted("worker")["pid"])
    # The run has said at least once that it is alive when it renders.
    host.until(lambda: any(host.store.glob("results/take-*")) and bool(_heartbeats(host, run_id)), 180)
    for process in (*worker.children(recursive=True), worker):
        process.send_signal(signal.SIGKILL)
    assert host.state(run_id)["type"] == "RUNNING"
    host.undercard("server", "status", status=1)

    host.undercard("server", "up", "--port", str(host.port))

    state = host.wait(run_id, DEAD_SECONDS)
    assert state["type"] == "CRASHED"
    assert "the process or its host died" in state["message"]
    # Neither film nor size is given: the film that died is the last one.
    again = host.start("rerun/rerun-shots")
    assert host.wait(again)["type"] == "COMPLETED", host.state(again)
    assert next((host.store / "films").glob("died-1280x720-*/film.mp4")).is_file()


def _heartbeats(host: Host, run_id: str) -> list[object]:
    wanted = {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": {"id": [f"prefect.flow-run.{run_id}"]}}
    found: list[object] = host.ask("events/filter", {"filter": wanted})["events"]
    return found


def test_a_server_with_a_run_in_progress_is_not_ended_by_mistake(host: Host, film: Path) -> None:
    film.write_text(film.read_text().replace("Three small shots", "Busy"))
    run_id = host.start("produce/render-film", shot_list=str(film), size="1920x1080")
    host.until(lambda: host.state(run_id)["type"] == "RUNNING", 60)

    told = host.undercard("server", "down", status=2)

    assert "1 run is in progress: produce" in told
    assert host.wait(run_id)["type"] == "COMPLETED"

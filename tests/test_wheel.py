"""The wheel outside any checkout: it holds the flows, the tasks and the examples, and it renders."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.paths import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment that has what it depends on, but not the checkout; return its `bin`."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([*pip, *build], check=True, timeout=300)
    (wheel,) = folder.glob("undercard-*.whl")
    environment = folder / "venv"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    install = ["--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, *install], check=True, timeout=300)
    # A folder that a .pth file names is searched, but its own .pth files are not read: they name the checkout.
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def run(command: list[str], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PREFECT_API_URL"}}
    environment |= {
        "PREFECT_HOME": str(folder / "prefect"),
        "UNDERCARD_STORE": str(folder / "store"),
        "COLUMNS": "200",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_is_found_and_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "import undercard, flows, tasks; print(undercard.__file__, flows.__file__, tasks.__file__)"

    found = run([str(installed / "python"), "-c", code], tmp_path).split()

    assert [Path(path).is_relative_to(installed.parent) for path in found] == [True] * 3


@pytest.mark.slow
def test_the_wheel_renders_an_example_that_it_brings(installed: Path, tmp_path: Path) -> None:
    try:
        said = run([str(installed / "undercard"), "render", "data/shots/one_punch.yaml", "--size", "128x72"], tmp_path)
    finally:
        server = json.loads((tmp_path / "prefect" / "undercard-server.json").read_bytes())
        os.kill(server["pid"], signal.SIGTERM)

    (film,) = (tmp_path / "store" / "films").glob("one-punch-128x72-previz/film.mp4")
    assert film.stat().st_size > 10_000
    assert f"Film: {film}" in said


def test_the_wheel_brings_its_catalogue_and_its_schema(installed: Path, tmp_path: Path) -> None:
    assert '"$schema"' in run([str(installed / "undercard"), "schema"], tmp_path)
    assert "lights-out" in run([str(installed / "undercard"), "shots", "data/shots/title_fight.yaml"], tmp_path)
    code = "from undercard import settings; assert settings.load().catalogue_file.is_file()"
    run([str(installed / "python"), "-c", code], tmp_path)
    code = "from undercard.cli import registered; print(registered.deployments_file().read_text())"
    assert "flows.produce.produce" in run([str(installed / "python"), "-c", code], tmp_path)

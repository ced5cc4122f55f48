"""kill -9 in the middle of a run, for real: what was whole stays, what was not is made again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

RUN = """
import sys
from pathlib import Path
from flows.produce import produce
print(produce(shot_list=Path(sys.argv[1])))
"""


def run(film: Path, store: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "UNDERCARD_STORE": str(store), "UNDERCARD_WORKERS": "1"}
    environment["PREFECT_API_URL"] = str(PREFECT_API_URL.value())
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(film)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def finished(film: Path, store: Path) -> Path:
    output, _ = run(film, store).communicate(timeout=120)
    return Path(output.strip().splitlines()[-1])


def results(store: Path) -> set[str]:
    return {path.name for path in (store / "results").glob("*")} if (store / "results").is_dir() else set()


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_after_kill_nine_only_unfinished_shots_render_and_the_film_is_byte_identical(
    film: Path, tmp_path: Path
) -> None:
    undisturbed = finished(film, tmp_path / "undisturbed")
    store = tmp_path / "killed"
    victim = run(film, store)
    deadline = time.monotonic() + 90
    while len([name for name in results(store) if name.startswith("take-")]) < 2:
        assert time.monotonic() < deadline, "no keyframe was finished"
        assert victim.poll() is None, "the run ended before it was killed"
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    kept = {path: path.stat().st_mtime_ns for path in (store / "results").glob("take-*")}
    assert not list((store / "films").rglob("film.mp4"))

    resumed = finished(film, store)

    assert resumed.read_bytes() == undisturbed.read_bytes()
    assert {path: path.stat().st_mtime_ns for path in kept} == kept

"""Films by the engine itself on a real card: a tenant in the middle of one, and room that shrinks rung by rung.

The model has 16 of the 60 blocks at their true width, the autoencoder's true size, and random weights: 11 GB on disk.
Each keyframe is drawn from three pictures of the model's own size: the previz frame and two sheets. Eleven blocks are
foreseen to find room on 10 GB of a card (8.5 GB at the peak), and 2.6 GB to be needed with none.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.engine_weights import write_checkpoint
from tests import here
from tests.gpu.films import rendered
from tests.paths import FAKES
from undercard import backends
from undercard.domain.progress import Stage
from undercard.hardware.devices import Gpu
from undercard.hardware.probe import this_device
from undercard.production.sessions.lanes import Lane
from undercard.production.sessions.session import Session

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("prefect_server")]

GB = 1_000_000_000
BLOCKS = 16
SQUEEZED = FAKES / "squeezed_backends"
SHOTS = ("one", "two", "three", "four", "five", "six")
FILM = """\
title: Six keyframes
fps: 24
size: 512x288
cast:
  red: {name: Red, corner: red}
  blue: {name: Blue, corner: blue}
shots:
"""
SHOT = """\
  - id: %s
    camera: wide
    length: 8
    motion: hold
    prompt: Take %s.
    keyframes:
      - {at: 0, poses: {red: guard, blue: jab}}
"""
TENANT = """
import sys, torch
held = [torch.zeros(1, device="cuda")]
print("here", flush=True)
for line in sys.stdin:
    free, _ = torch.cuda.mem_get_info()
    held.append(torch.empty(free - int(line), dtype=torch.uint8, device="cuda"))
    torch.cuda.synchronize()
    print("taken", flush=True)
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Write the model; 11 GB are not left behind."""
    folder = tmp_path_factory.mktemp("sixteen-blocks")
    write_checkpoint(folder, text_encoder=True, blocks=BLOCKS)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def model(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What drew the weights gives the card back.
    torch.cuda.empty_cache()
    monkeypatch.setenv("UNDERCARD_MODEL", str(checkpoint))


@pytest.fixture(autouse=True)
def no_core_file() -> Iterator[None]:
    """Let a process that is ended by SIGABRT go without a file of its gigabytes."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.yaml"
    path.write_text(FILM + "".join(SHOT % (name, name) for name in SHOTS))
    return path


@dataclass(slots=True)
class Tenant:
    """Another process on the card, which takes memory when it is told to."""

    process: subprocess.Popen[str]

    def leave(self, left_bytes: int) -> None:
        """Take all of the card but *left_bytes*."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{left_bytes}\n")
        self.process.stdin.flush()
        assert self._said() == "taken\n"

    def _said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@contextmanager
def tenant() -> Iterator[Tenant]:
    """Start a process with a context on the card and nothing else."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", TENANT], stdin=pipe, stdout=pipe, text=True) as process:
        found = Tenant(process)
        try:
            assert found._said() == "here\n"
            yield found
        finally:
            process.kill()


@dataclass(slots=True)
class Misfortune:
    """What befalls the process that renders `three`: it crashes, and a tenant comes while the next one opens."""

    tenant: Tenant
    left_bytes: int
    crashed: int = 0
    """The process that was ended; 0 until then."""
    came: bool = False
    heard: list[tuple[str, str]] = field(default_factory=list)

    def hear(self, lane: Lane, stage: Stage) -> None:
        """Look at where *lane* is, in place of `Lane._heard`."""
        self.heard.append((lane.label, str(stage)))
        session = lane.renderer
        assert isinstance(session, Session)
        assert session.child is not None
        process = session.child.process.pid
        if not self.crashed and lane.label == "three-01" and stage.name == "denoise" and stage.step == 2:
            self.crashed = process
            os.kill(process, signal.SIGABRT)
        elif self.crashed and process != self.crashed and not self.came:
            self.came = True
            self.tenant.leave(self.left_bytes)


def card() -> Gpu:
    found = this_device(here.settings()).gpu
    assert found is not None
    return found


def records(manifest: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(manifest.read_bytes())["keyframes"]
    return found


def roads(manifest: Path) -> dict[str, list[tuple[int, str]]]:
    """Return for each keyframe the resident blocks of every rung that it was tried on, and what came of it."""
    return {
        record["label"]: [
            (resident(attempt["rung"]), attempt["outcome"]) for attempt in record["takes"][-1]["take"]["attempts"]
        ]
        for record in records(manifest)
    }


def resident(rung: str) -> int:
    found = re.search(rf"(\d+) of {BLOCKS} blocks resident", rung)
    assert found is not None, f"{rung} is no rung of the engine"
    return int(found[1])


def assert_nothing_lost(manifest: Path) -> None:
    found = records(manifest)
    assert [record["label"] for record in found] == [f"{name}-01" for name in SHOTS]
    for record in found:
        (judged,) = record["takes"]
        assert judged["take"]["exact"]
        assert judged["take"]["attempts"][-1]["peak_vram_bytes"] < 10 * GB


def test_a_film_on_ten_gigabytes_loses_no_shot_to_a_crash_and_a_tenant_who_comes_in_the_middle(
    film: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        rest, second = stack.enter_context(tenant()), stack.enter_context(tenant())
        # A card of 80 GB becomes one of ten by what somebody else holds of it, for the driver as for us.
        rest.leave(10 * GB)
        misfortune = Misfortune(second, left_bytes=int(5.5 * GB))
        monkeypatch.setattr(Lane, "_heard", lambda lane, stage: misfortune.hear(lane, stage))

        manifest = rendered(film, store)

    assert_nothing_lost(manifest)
    found = roads(manifest)
    ((most, _),) = found["one-01"]
    assert found["two-01"] == [(most, "rendered")]
    assert [outcome for _, outcome in found["three-01"]] == ["device fault", "rendered"]
    # The next in the queue is what the new process was to render when the tenant came.
    assert [outcome for _, outcome in found["four-01"]] == ["device busy", "rendered"]
    assert found["three-01"][0][0] == found["four-01"][0][0] == most
    assert all(road[-1][0] < most for label, road in found.items() if label not in {"one-01", "two-01"})


def test_a_film_is_forced_down_the_ladder_rung_by_rung_and_its_manifest_tells_how(
    film: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(SQUEEZED)])
    monkeypatch.setattr(backends, "names", lambda: ("previz", "squeezed"))
    now = card()
    monkeypatch.setenv("UNDERCARD_VRAM_LIMIT", str(10 * GB + now.total_bytes - now.free_bytes))
    # One keyframe that ran out is enough to know that a cap has come down.
    monkeypatch.setenv("UNDERCARD_RUNG_LIMIT", "1")

    manifest = rendered(film, store)

    assert_nothing_lost(manifest)
    found = roads(manifest)
    ((most, _),) = found["one-01"]
    ((half, _),) = found["four-01"]
    assert most > half > 0
    # What ran out goes to the end of the queue, and meets the lowest cap there.
    assert found == {
        "one-01": [(most, "rendered")],
        "two-01": [(most, "rendered")],
        "three-01": [(most, "out of memory"), (0, "rendered")],
        "four-01": [(half, "rendered")],
        "five-01": [(half, "rendered")],
        "six-01": [(half, "out of memory"), (0, "rendered")],
    }
    stages = {
        attempt["stage"]
        for record in records(manifest)
        for attempt in record["takes"][-1]["take"]["attempts"]
        if attempt["outcome"] == "out of memory"
    }
    assert stages == {"denoise"}

"""Sessions and films on a real card that really runs out: by an allocator's cap, by a tenant, by a fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from tests import here
from tests.fakes.greedy_backends.greedy import BACKEND, GB
from tests.fakes.stagings import staging
from tests.gpu.films import rendered
from tests.paths import FAKES
from undercard import backends
from undercard.backends import Work
from undercard.domain.requests import RenderRequest
from undercard.errors import DeviceBusy, DeviceFault, OutOfMemory
from undercard.hardware.devices import Device, Gpu
from undercard.hardware.probe import tenants, this_device
from undercard.production.sessions.session import Session, alone_on

pytestmark = pytest.mark.gpu

SIZE = (32, 18)
FOLDER = FAKES / "greedy_backends"
TENANT = """
import sys, time, torch
held = torch.empty(int(sys.argv[1]), dtype=torch.uint8, device="cuda")
torch.cuda.synchronize()
print("here", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def greedy_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(FOLDER)])
    monkeypatch.setattr(backends, "names", lambda: ("greedy", "previz"))
    paths = [str(FOLDER.parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


@contextmanager
def tenant(held_bytes: int) -> Iterator[None]:
    """Let another process hold *held_bytes* of the card."""
    process = subprocess.Popen([sys.executable, "-c", TENANT, str(held_bytes)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "here\n"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def card(device: Device | None = None) -> Gpu:
    found = (device or this_device(here.settings())).gpu
    assert found is not None
    return found


def session_on(rung: int) -> Session:
    device = this_device(here.settings())
    return Session(
        BACKEND.rungs(Work(SIZE), device, here.settings())[rung], alone_on(device, device.gpu), here.settings()
    )


def request(prompt: str = "two boxers") -> RenderRequest:
    with here.store().scratch(".png") as path:
        Image.linear_gradient("L").resize(SIZE).convert("RGB").save(path)
        control = here.store().put_file(path).sha256
    return RenderRequest(prompt, "", 3, SIZE, staging(), "", control=control, references=(control,))


def test_a_real_out_of_memory_arrives_typed_and_leaves_nothing_on_the_card() -> None:
    before = card().free_bytes
    with session_on(0) as session:
        with pytest.raises(OutOfMemory) as failure:
            session.render(request("greedy"))

        assert failure.value.stage == "denoise"
        assert failure.value.wanted_bytes > 7 * GB
        assert card().free_bytes == pytest.approx(before, abs=0.3 * GB)
        assert session.render(request()).peak_vram_bytes > 6 * GB


def test_a_fault_of_the_device_ends_its_process_and_a_new_one_renders() -> None:
    with session_on(2) as session:
        with pytest.raises(DeviceFault):
            session.render(request("assert"))

        assert session.render(request()).image.size == SIZE


def test_what_a_tenant_took_is_told_from_what_the_rung_wanted_too_much() -> None:
    with session_on(0) as session, tenant(card().free_bytes - 4 * GB), pytest.raises(DeviceBusy):
        session.render(request())


def test_what_our_own_child_holds_is_not_taken_for_a_tenants() -> None:
    with session_on(0) as session:
        session.render(request())
        held = sum(one.used_bytes for one in tenants(card()) if one.ours)

    # 0 where a container hides who is who; then a rung counts as holding what it was promised.
    assert held == 0 or held > 6 * GB


FILM = """\
title: Six keyframes
fps: 24
size: 128x72
cast:
  red: {name: Red, corner: red}
  blue: {name: Blue, corner: blue}
shots:
"""
SHOT = """\
  - id: shot_%d
    camera: wide
    length: 8
    motion: hold
    prompt: "%s"
    keyframes:
      - {at: 0, poses: {red: guard, blue: guard}}
"""


@pytest.mark.usefixtures("prefect_server")
def test_a_film_on_ten_gigabytes_loses_no_shot_to_a_tenant_and_a_real_out_of_memory(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The card is as small as that beside whatever is on it already.
    now = card()
    monkeypatch.setenv("UNDERCARD_VRAM_LIMIT", str(10 * GB + now.total_bytes - now.free_bytes))
    monkeypatch.setenv("UNDERCARD_BUSY_SECONDS", "5")
    film = tmp_path / "film.yaml"
    prompts = ["one", "two greedy", "three", "four", "five", "six"]
    film.write_text(FILM + "".join(SHOT % (number, prompt) for number, prompt in enumerate(prompts, start=1)))
    over = threading.Event()

    def come_and_stay() -> None:
        while len(list((store / "results").glob("take-*"))) < 3:
            time.sleep(0.01)
        with tenant(5 * GB):
            over.wait(120)

    guest = threading.Thread(target=come_and_stay)
    guest.start()
    try:
        written = rendered(film, store)
    finally:
        over.set()
        guest.join()

    takes = [record["takes"][-1]["take"] for record in json.loads(written.read_bytes())["keyframes"]]
    assert len(takes) == 6
    assert all(take["exact"] for take in takes)
    assert takes[1]["attempts"][0]["outcome"] == "out of memory"

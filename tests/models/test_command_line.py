"""`undercard provision` and `doctor` as people meet them: another process, and HF_ENDPOINT for a mirror."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from tests import here
from tests.fakes.cards import RTX_3060, machine
from tests.fakes.hub_server import Fault, Published
from undercard import backends, settings
from undercard.cli import plan
from undercard.models import weights
from undercard.planning import rungs

GGUF = "edit-Q4_K_M.gguf"
CODE = """
import signal
# Ignored by what was started in the background, as tests may be; a person's shell leaves it alone.
signal.signal(signal.SIGINT, signal.default_int_handler)
from undercard.cli.app import app
app()
"""
COMMAND = [sys.executable, "-c", CODE, "provision"]


def environment(published: Published, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "HF_ENDPOINT": published.url,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_COLOR": "1",
        "COLUMNS": "100",
        **more,
    }


def provision(published: Published, *arguments: str, **more: str) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(published, **more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def started(published: Published, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(published),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def parts() -> list[Path]:
    return list(settings.load().model_store_root.rglob(".*.part"))


def test_provision_fetches_from_a_mirror_and_then_needs_no_hub(published: Published) -> None:
    status, output = provision(published, "--backend", "gguf")

    assert status == 0, output
    assert f"from {published.url}." in output
    assert "↓ Tiny GGUF Q4_K_M" in output
    assert "All of it is there now, and verified against the hub." in output
    weights.forget()
    assert weights.missing("gguf", here.settings()) is None

    status, output = provision(published, "--backend", "gguf", HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="1")

    assert status == 0, output
    assert "Everything is there." in output
    assert "✓ Tiny GGUF Q4_K_M" in output
    assert "there, verified" in output


def test_a_plan_fetches_nothing(published: Published) -> None:
    status, output = provision(published, "--backend", "gguf", "--plan")

    assert status == 0, output
    assert re.search(r"To fetch: 0\.0 GB in 20 files from http://127", output), output
    assert "Room: " in output
    assert not settings.load().model_store_root.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--backend", "nope"], 2, "backend 'nope' needs no models of the catalogue; those that do are"),
        (["--model", "nope"], 2, "model 'nope' does not exist; use one of"),
        ([], 0, "Nothing to fetch: there is no graphics card here"),
    ],
)
def test_what_cannot_be_fetched_is_told(arguments: list[str], status: int, words: str, published: Published) -> None:
    assert provision(published, *arguments)[0] == status
    assert words in " ".join(provision(published, *arguments)[1].split())


def test_two_at_once_do_not_spoil_each_other(published: Published) -> None:
    published.faults.append(Fault(GGUF, "slow", pause=0.001))
    both = [started(published, "--backend", "gguf") for _ in range(2)]

    outputs = [each.communicate(timeout=120)[0] for each in both]

    assert [each.returncode for each in both] == [0, 0], outputs
    weights.forget()
    assert weights.missing("gguf", here.settings()) is None
    assert len([path for path in published.paths() if "/resolve/" in path and path.endswith(GGUF)]) == 1
    assert not parts()
    assert not list(settings.load().model_store_root.rglob("*.quarantined-*"))


def test_control_c_keeps_what_arrived_and_the_same_command_goes_on(published: Published) -> None:
    published.faults.append(Fault(GGUF, "slow", pause=0.01))
    running = started(published, "--backend", "gguf")
    deadline = time.monotonic() + 60
    while sum(part.stat().st_size for part in parts() if GGUF in part.name) < 200_000:
        assert time.monotonic() < deadline, "nothing arrives"
        time.sleep(0.02)

    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)

    assert running.returncode == 130, output
    assert "Stopped. What arrived is kept" in output
    (part,) = [part for part in parts() if GGUF in part.name]
    there = part.stat().st_size
    status, output = provision(published, "--backend", "gguf")
    assert status == 0, output
    ranges = [asked.headers.get("Range") for asked in published.asked if "signature" in asked.path]
    assert f"bytes={there}-" in ranges


def test_what_was_moved_aside_is_told(published: Published) -> None:
    published.faults.append(Fault(GGUF, "flip"))

    status, output = provision(published, "--backend", "gguf")

    assert status == 0, output
    assert "its SHA-256 begins with" in output
    assert f"moved aside as {GGUF}.quarantined-1" in output


def test_a_hub_that_is_down_ends_the_command_and_names_what_to_do(published: Published) -> None:
    status, output = provision(published, "--backend", "gguf", HF_ENDPOINT="http://127.0.0.1:9")

    assert status == 1
    assert "Sizes are the catalogue's, for now" in output
    assert "http://127.0.0.1:9 cannot be asked now; run the same command again later" in output
    assert "Traceback" not in output


def examined(width: int) -> list[str]:
    """Return what the doctor says of a machine with a card, paths apart: those are for copying, and are not broken."""
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        plan.examine(console, machine(RTX_3060), here.settings(), rungs.everything())
    return [line for line in captured.get().splitlines() if not line.startswith(("store:", "models:"))]


def test_the_doctor_names_what_is_missing_and_the_one_command(published: Published) -> None:
    lines = [" ".join(line.split()) for line in examined(100)]

    row = next(number for number, line in enumerate(lines) if line.startswith("✗ bf16"))
    assert lines[row] == "✗ bf16 yes there is no Tiny Lightning, 4 steps, no Tiny-Edit-2511"
    assert lines[row + 1] == "fp8 – → run undercard provision --backend bf16, or set UNDERCARD_MODEL"
    assert "the catalogue has no kit for it" in " ".join(lines)
    # Cards of this kind compute fastest in four bits.
    assert lines[-1] == "Next: run undercard provision --backend nunchaku (0.0 GB)"


@pytest.mark.parametrize("width", [60, 100])
def test_the_doctor_fits_a_terminal_and_breaks_no_name(width: int, published: Published) -> None:
    lines = examined(width)

    assert max(map(len, lines)) <= width
    words = {word for line in lines for word in line.split()}
    assert set(backends.names()) <= words


def test_the_doctor_says_what_a_backend_renders_with(published: Published) -> None:
    provision(published, "--backend", "bf16")
    weights.forget()
    console = Console(width=400, no_color=True)

    with console.capture() as captured:
        plan.examine(console, machine(RTX_3060), here.settings(), rungs.everything())

    text = captured.get()
    assert re.search(r"✓ +bf16 +yes +4 steps · .*models/tiny/Edit-2511 \+ .*edit-4steps\.safetensors", text), text
    assert "Next:" not in text

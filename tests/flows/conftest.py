"""A small film, backends that can go wrong, and what is told of a film."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flows.keyframes import keyframes
from tests.fakes.paper_card import FakeCard
from tests.paths import FAKES
from undercard import backends
from undercard.production.options import RunOptions

HUNGRY_BACKENDS = FAKES / "hungry_backends"
ALL, HALF, NOTHING = (f"hungry · {detail} resident" for detail in ("all", "half", "nothing"))
COARSE = "coarse · all resident"
FILM = """\
title: Three small shots
fps: 24
size: 128x72
cast:
  red: {name: Red, corner: red, reference: red.png}
  blue: {name: Blue, corner: blue, reference: blue.png}
shots:
  - id: guard
    camera: wide
    length: 8
    motion: hold
    prompt: "PROMPT-GUARD"
    keyframes:
      - {at: 0, poses: {red: guard, blue: guard}}
  - id: jab
    camera: ringside
    length: 12
    motion: pose
    prompt: "PROMPT-JAB"
    keyframes:
      - {at: 0, poses: {red: guard, blue: guard}}
      - {at: 6, poses: {red: jab, blue: hurt}, ease: snap}
  - id: victory
    camera: low
    length: 10
    motion: push_in
    transition: {kind: crossfade, frames: 4}
    prompt: "PROMPT-VICTORY"
    keyframes:
      - {at: 0, poses: {red: victory, blue: bow}}
"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write a shot list of three shots, 26 frames in all, with pictures of the fighters, so that no sheet is drawn."""
    path = tmp_path / "film.yaml"
    path.write_text(FILM)
    for fighter in ("red", "blue"):
        Image.new("RGB", (8, 8), fighter).save(tmp_path / f"{fighter}.png")
    return path


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a faulty backend into a folder that is looked through, and return its name."""
    folder = FAKES / "faulty_backends"
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(folder)])
    return "faulty"


@pytest.fixture
def card(store: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    """Give the machine a card of paper, and the hungry backends alone to render on it."""
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(HUNGRY_BACKENDS)])
    # A model that this machine has is none of these tests' business.
    monkeypatch.setattr(backends, "names", lambda: ("coarse", "hungry", "previz"))
    # Children find the tests' own modules.
    monkeypatch.setenv("PYTHONPATH", str(HUNGRY_BACKENDS.parent.parent))
    monkeypatch.setenv("UNDERCARD_BUSY_SECONDS", "0")
    found = FakeCard(store)
    for module in ("tasks.runs", "flows.keyframes", "flows.assemble"):
        monkeypatch.setattr(f"{module}.this_device", found.look)
    return found


def plant(film: Path, **faults: str) -> None:
    """Let the prompts of shots say what goes wrong with them."""
    text = film.read_text()
    for shot, fault in faults.items():
        text = text.replace(f"PROMPT-{shot.upper()}", f"{shot} fault: {fault}")
    film.write_text(text)


def render(film: Path, **options: bool) -> None:
    keyframes(RunOptions(shot_list=film, **options))


def manifest_of(store: Path) -> dict[str, Any]:
    """Return the manifest of the only film in *store*."""
    found: dict[str, Any] = json.loads(next((store / "films").rglob("manifest.json")).read_bytes())
    return found


def takes(store: Path) -> dict[str, dict[str, Any]]:
    """Return the last take of each keyframe by its label."""
    return {record["label"]: record["takes"][-1]["take"] for record in manifest_of(store)["keyframes"]}


def rungs(store: Path) -> dict[str, str]:
    return {label: take["rung"] for label, take in takes(store).items()}


def road(take: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return every rung that *take* was tried on, what came of it, and in which stage it ended."""
    return [(attempt["rung"], attempt["outcome"], attempt["stage"]) for attempt in take["attempts"]]

"""A small film and a backend that can go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from undercard import backends

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
    folder = Path(__file__).parent / "faulty_backends"
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(folder)])
    return "faulty"

"""A film of two shots at a small size, and a run of it with the previz."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from undercard import settings
from undercard.production.options import RunOptions
from undercard.production.run import Run, begin

SMALL = """\
title: Small
fps: 24
size: 128x72
cast:
  red: {name: Red, corner: red}
  blue: {name: Blue, corner: blue}
shots:
  - id: jab
    camera: wide
    length: 4
    motion: hold
    keyframes:
      - {at: 0, poses: {red: guard, blue: guard}}
      - {at: 2, poses: {red: jab, blue: guard}}
  - id: cross
    camera: profile
    length: 4
    motion: hold
    keyframes:
      - {at: 0, poses: {red: cross, blue: hurt}}
"""


@pytest.fixture
def small_film(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def new_run(small_film: Path) -> Callable[..., Run]:
    """Return what begins a run of the small film with the options that it is given."""

    def start(**options: Any) -> Run:
        return begin(RunOptions(shot_list=small_film, **options), settings.load())

    return start

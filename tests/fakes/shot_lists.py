"""Shot lists that tests start from: a small right one, to be made wrong in one place."""

from __future__ import annotations

from pathlib import Path

from undercard.errors import BadShotList, Problem
from undercard.shotlist.load import load_shot_list
from undercard.shotlist.models import ShotList

DUEL = """\
title: A Duel
cast:
  ray: {name: Ray, corner: red}
  sol: {name: Sol, corner: blue, stance: southpaw}
shots:
  - id: jab
    length: 24
    keyframes:
      - {at: 0, poses: {ray: guard, sol: guard}}
      - {at: 8, ease: snap, poses: {ray: jab}}
  - id: nod
    length: 24
    keyframes:
      - {at: 0, poses: {sol: guard}}
"""


def write(folder: Path, text: str = DUEL) -> Path:
    path = folder / "duel.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def duel(folder: Path, *changes: tuple[str, str]) -> ShotList:
    """Load the duel with each old text replaced by the new."""
    return load_shot_list(write(folder, changed(*changes)))


def changed(*changes: tuple[str, str]) -> str:
    text = DUEL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def problems(folder: Path, *changes: tuple[str, str]) -> tuple[Problem, ...]:
    """Return what is wrong with the duel once changed; nothing when it still loads."""
    try:
        duel(folder, *changes)
    except BadShotList as exc:
        return exc.problems
    return ()

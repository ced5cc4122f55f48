"""The store of a test, which is empty at first, and what lies in it."""

from __future__ import annotations

from pathlib import Path

import pytest

CONTENT = b"a keyframe"


@pytest.fixture
def root(store: Path) -> Path:
    """Return where the store is: the tests call the module `store`."""
    return store


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]

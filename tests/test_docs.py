"""Whatever file or folder the documentation names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.paths import ROOT

PAGES = sorted(path for folder in ("", "docs", "docs/decisions", "benchmarks") for path in (ROOT / folder).glob("*.md"))
# Build outputs are named, too, and are not there.
NAMED = re.compile(r"`((?:[a-z_0-9]+/)+(?:[a-z_0-9]+(?:\.(?:py|toml|json|yaml))?)?)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    named = NAMED.findall(page.read_text())

    places = (ROOT, ROOT / "undercard", page.parent)
    assert [path for path in named if path != "build/" and not any((place / path).exists() for place in places)] == []

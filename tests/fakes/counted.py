"""Counts what one run should compute once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from undercard.production import manifest, report, run
from undercard.production.assembly import sound_cues

ONCE = ((run, "plan_film"), (manifest, "read_records"), (sound_cues, "score"), (report, "shot_rows"))


def count_calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count from now on how often each of `ONCE` is called, by its name."""
    counted: Counter[str] = Counter()

    def watch(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def count(*args: Any, **kwargs: Any) -> Any:
            counted[name] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, count)

    for owner, name in ONCE:
        watch(owner, name)
    return counted

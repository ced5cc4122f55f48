"""Films whose pictures say nothing: what is looked at is how they came about."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.keyframes import keyframes
from undercard.errors import NeedsReview
from undercard.production.options import RunOptions


def rendered(film: Path, store: Path) -> Path:
    """Render one take of every keyframe of *film*, which the gate sends to review, and return the manifest.

    Random weights draw noise, and a fake one the control image: neither may pass.
    """
    with pytest.raises(NeedsReview):
        keyframes(RunOptions(shot_list=film, take_limit=1))
    (manifest,) = (store / "films").rglob("manifest.json")
    return manifest

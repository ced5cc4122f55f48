"""What is remembered of pictures that are looked at again, and a median that takes less time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.gate.pictures import SIZE, keyframe
from undercard.gate.evidence import Evidence
from undercard.gate.measures.middle import middle
from undercard.gate.pictures import luma, thumbnail


def stored(path: Path, reach: float = 0.5) -> Path:
    Image.fromarray(keyframe(reach)).save(path)
    return path


def test_a_stored_picture_is_made_small_once_however_many_keyframes_it_lies_beside(tmp_path: Path) -> None:
    sheet = stored(tmp_path / "sheet.png")

    first, second = (Evidence(stored(tmp_path / f"{k}.png"), SIZE, references=(sheet,)) for k in range(2))

    assert first.thumbnail(first.references[0]) is second.thumbnail(second.references[0])


def test_a_picture_that_was_drawn_again_is_made_small_again(tmp_path: Path) -> None:
    path = stored(tmp_path / "picture.png")
    evidence = Evidence(path, SIZE)
    before = np.asarray(evidence.thumbnail(evidence.pixels))

    path.unlink()
    again = Evidence(stored(path, reach=0.9), SIZE)

    assert np.abs(before.astype(int) - np.asarray(again.thumbnail(again.pixels))).max() > 20


def test_pixels_that_may_change_are_looked_at_anew() -> None:
    pixels = keyframe()
    light = luma(pixels).mean(), np.asarray(thumbnail(pixels)).mean()

    pixels //= 2

    assert luma(pixels).mean() < 0.6 * light[0]
    assert np.asarray(thumbnail(pixels)).mean() < 0.6 * light[1]


@pytest.mark.parametrize("length", [1, 2, 7, 256])
def test_the_middle_is_the_median(length: int) -> None:
    values = np.random.default_rng(length).integers(-300, 300, (5, 4, length)).astype(np.int16)

    assert np.array_equal(middle(values), np.median(values, axis=-1))


def test_a_thumbnail_is_of_its_own_picture_wherever_that_lies_in_memory() -> None:
    evidence = Evidence(keyframe(), SIZE)
    for level in range(40):
        # Each is gone when the next is made, which may come to lie in the same place.
        seen = np.asarray(evidence.thumbnail(np.full((32, 64, 3), level, np.uint8)))
        assert seen.max() == level

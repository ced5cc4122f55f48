from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from tests.production.assembly.test_pieces import SIZE, planned, taken
from undercard.production.assembly import preview


@pytest.mark.parametrize(("film", "name"), [("film.mp4", "preview.webp"), ("excerpt.mp4", "excerpt-preview.webp")])
def test_a_preview_lies_beside_its_film_and_shows_the_middle_of_each_shot(tmp_path: Path, film: str, name: str) -> None:
    plan = planned(tmp_path)

    path = preview.publish(plan, taken(plan), tmp_path / film)

    assert path == tmp_path / name
    with Image.open(path) as picture:
        assert picture.size == SIZE
        shown = [np.asarray(frame.convert("RGB"))[9, 9, :2] for frame in ImageSequence.Iterator(picture)]
    # The second keyframes of jab, and of jab again; nod and bow have one.
    assert np.abs(np.array(shown, int) - [(40, 40), (90, 20), (40, 40), (190, 20)]).max() < 8

"""What a film gives its model: control images by shot and keyframe, and sheets of fighters without a picture."""

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
from undercard.errors import ShotsFailed, StoreError
from undercard.production.options import RunOptions

pytestmark = pytest.mark.usefixtures("prefect_server")

FOLDER = FAKES / "hungry_backends"


@pytest.fixture(autouse=True)
def card(store: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(FOLDER)])
    monkeypatch.setattr(backends, "names", lambda: ("hungry", "previz"))
    # Children find the tests' own modules.
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent.parent))
    found = FakeCard(store)
    monkeypatch.setattr("flows.keyframes.this_device", found.look)
    return found


def takes(film: Path) -> dict[str, dict[str, Any]]:
    found = json.loads(keyframes(RunOptions(shot_list=film)).read_bytes())["keyframes"]
    return {record["label"]: record["takes"][-1]["take"] for record in found}


def rendered(card: FakeCard) -> int:
    return sum(event.startswith("denoised") for event in card.events)


def test_a_film_draws_a_sheet_of_each_fighter_without_a_picture_once_and_its_manifest_links_it(
    film: Path, store: Path, card: FakeCard
) -> None:
    film.write_text(film.read_text().replace(", reference: blue.png", ""))

    made = takes(film)

    sheets = {json.dumps(take["sheets"]) for take in made.values()}
    assert len(sheets) == 1
    (sheet,) = json.loads(sheets.pop())
    assert sheet["fighter"] == "blue"
    with Image.open(store / sheet["picture"]["path"]) as picture:
        assert picture.size == (1024, 1024)
    assert len(list((store / "results").glob("sheet-*"))) == 1
    assert takes(film) == made
    assert rendered(card) == len(made)


def test_another_control_image_renders_the_keyframes_again_that_it_is_for_and_no_others(
    film: Path, store: Path, card: FakeCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A picture of normals is none that the gate would let stand.
    monkeypatch.setattr("undercard.gate.judging.checks", tuple)
    before = takes(film)
    film.write_text(film.read_text().replace("id: victory", "id: victory\n    control: normals"))

    after = takes(film)

    changed = [label for label in after if after[label]["key"] != before[label]["key"]]
    assert changed == ["victory-01"]
    assert rendered(card) == len(before) + 1
    assert after["victory-01"]["control"] == before["victory-01"]["control"]
    # The backend moves the first picture that it is given a little, and gives it back.
    with (
        Image.open(store / after["victory-01"]["picture"]["path"]) as picture,
        Image.open(store / after["victory-01"]["control"]["normals"]["path"]) as normals,
    ):
        assert picture.histogram() == normals.histogram()


def test_a_sheet_that_cannot_be_drawn_fails_its_shots_and_says_why(
    film: Path, card: FakeCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_staging: object) -> None:
        raise StoreError("no space left for the sheet of blue")

    film.write_text(film.read_text().replace(", reference: blue.png", ""))
    monkeypatch.setattr("undercard.previz.studio.draw", full)

    with pytest.raises(ShotsFailed, match=r"3 of 3 shots failed.*no space left for the sheet of blue"):
        keyframes(RunOptions(shot_list=film))

    assert card.events == []

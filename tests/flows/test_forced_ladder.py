"""A film on a card that holds less with every take: real child processes run out rung by rung, and no shot is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flows.assemble import assemble
from flows.keyframes import keyframes
from tests.fakes.paper_card import FakeCard
from tests.flows.conftest import ALL, HALF, NOTHING
from undercard.errors import MixedFilm
from undercard.production.options import RunOptions

pytestmark = pytest.mark.usefixtures("prefect_server")

COARSE_ALL, COARSE_NOTHING = (f"coarse · {detail} resident" for detail in ("all", "nothing"))
SHOTS = ("one", "two", "three", "four", "five", "six")
HEAD = """\
title: Six keyframes
fps: 24
size: 128x72
cast:
  red: {name: Red, corner: red, reference: red.png}
  blue: {name: Blue, corner: blue, reference: blue.png}
shots:
"""
SHOT = """\
  - id: %s
    camera: wide
    length: 8
    motion: hold
    prompt: Take %s.
    keyframes:
      - {at: 0, poses: {red: guard, blue: jab}}
"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.yaml"
    path.write_text(HEAD + "".join(SHOT % (name, name) for name in SHOTS))
    for fighter in ("red", "blue"):
        Image.new("RGB", (8, 8), fighter).save(tmp_path / f"{fighter}.png")
    return path


@pytest.fixture
def card(card: FakeCard, monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    # One keyframe that ran out says enough of a card that only ever holds less.
    monkeypatch.setenv("UNDERCARD_RUNG_LIMIT", "1")
    return card


def records(film: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(keyframes(RunOptions(shot_list=film)).read_bytes())["keyframes"]
    return found


def roads(found: list[dict[str, Any]]) -> dict[str, list[tuple[str, str, str]]]:
    """Return for each keyframe every rung that it was tried on, what came of it, and in which stage it ended."""
    return {
        record["label"].removesuffix("-01"): [
            (attempt["rung"], attempt["outcome"], attempt["stage"])
            for attempt in record["takes"][-1]["take"]["attempts"]
        ]
        for record in found
    }


def ran_out(rung: str, stage: str = "denoise") -> tuple[str, str, str]:
    return rung, "out of memory", stage


def rendered(rung: str) -> tuple[str, str, str]:
    return rung, "rendered", ""


def test_exact_rungs_are_forced_down_one_by_one_and_the_manifest_tells_each_shots_road(
    film: Path, card: FakeCard
) -> None:
    card.squeeze(24.0, 24.0, 10.0, 10.0, 4.0)

    found = records(film)

    assert roads(found) == {
        "one": [rendered(ALL)],
        "two": [rendered(ALL)],
        # What ran out goes to the end of the queue, and meets the lowest cap there.
        "three": [ran_out(ALL), rendered(NOTHING)],
        "four": [rendered(HALF)],
        "five": [rendered(HALF)],
        "six": [ran_out(HALF), rendered(NOTHING)],
    }
    takes = [record["takes"][-1]["take"] for record in found]
    assert all(take["exact"] for take in takes)
    assert all(take["attempts"][-1]["rung"] == take["rung"] for take in takes)
    assert "CUDA out of memory" in takes[2]["attempts"][0]["detail"]
    # Each rung was opened once: a model is not loaded again to find out what is known.
    assert [event.split(" on ")[0] for event in card.events if event.startswith("open")] == [
        f"open {rung}" for rung in (ALL, HALF, NOTHING)
    ]


def test_a_film_forced_down_to_the_last_rung_is_finished_and_says_that_it_is_mixed(film: Path, card: FakeCard) -> None:
    card.squeeze(24.0, 10.0, 4.0, 2.6, 1.0)

    found = records(film)

    assert [record["label"] for record in found] == [f"{name}-01" for name in SHOTS]
    assert all(record["takes"][-1]["verdict"]["findings"] and not record["error"] for record in found)
    assert roads(found) == {
        "one": [rendered(ALL)],
        "two": [ran_out(ALL), ran_out(COARSE_ALL, "open"), rendered("previz")],
        "three": [rendered(HALF)],
        "four": [ran_out(HALF), rendered(COARSE_NOTHING)],
        "five": [rendered(NOTHING)],
        "six": [ran_out(NOTHING), ran_out(COARSE_NOTHING), rendered("previz")],
    }
    with pytest.raises(MixedFilm, match=r"exact pixels \(3 shots\), .*previz \(two, six\)"):
        assemble(RunOptions(shot_list=film))

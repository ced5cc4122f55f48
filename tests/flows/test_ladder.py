"""Films on a card that runs out of memory, with real child processes that are really killed: no shot is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName

from flows.produce import produce
from tests.fakes.paper_card import FakeCard
from tests.flows.conftest import ALL, COARSE, HALF, NOTHING, plant, render, road, rungs, takes
from undercard.errors import ShotsFailed

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_a_model_renders_on_the_fastest_rung_that_fits_and_a_second_run_opens_nothing(
    film: Path, store: Path, card: FakeCard
) -> None:
    made = produce(shot_list=film)

    assert made.name == "film.mp4"
    assert made.parent.name.endswith("-128x72-qwen-image-edit")
    assert set(rungs(store).values()) == {ALL}
    assert all(take["exact"] for take in takes(store).values())
    before = card.events
    assert [event.split()[0] for event in before] == ["open", "encode", *["denoised"] * 4]
    render(film)
    assert card.events == before


def test_every_cause_has_its_answer_and_no_shot_is_lost(
    film: Path, store: Path, card: FakeCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_RUNG_LIMIT", "9")
    plant(film, guard="abort once", jab="denoise over 10", victory="decode over 5")

    render(film)

    made = takes(store)
    assert road(made["guard-01"]) == [(ALL, "device fault", "denoise"), (ALL, "rendered", "")]
    assert road(made["jab-01"]) == [(ALL, "out of memory", "denoise"), (HALF, "rendered", "")]
    assert road(made["victory-01"]) == [
        (ALL, "out of memory", "decode"),
        (HALF, "out of memory", "decode"),
        (NOTHING, "rendered", ""),
    ]
    assert all(take["exact"] for take in made.values())
    # The latents of the first rung are what the last one decodes.
    assert made["victory-01"]["attempts"][-1]["detail"] == "decoded latents that an earlier attempt had kept"
    assert f"denoised on {NOTHING}" not in card.events
    assert all(attempt["seconds"] > 0 for take in made.values() for attempt in take["attempts"])


def test_a_picture_says_what_made_it_and_what_did_not_and_its_task_runs_are_red_then_green(
    film: Path, store: Path, card: FakeCard
) -> None:
    film.write_text(film.read_text().replace("id: victory", "id: epilogue"))
    plant(film, victory="denoise over 10")

    render(film)

    take = takes(store)["epilogue-01"]
    with Image.open(store / take["picture"]["path"]) as picture:
        said = json.loads(picture.text["undercard"])  # type: ignore[attr-defined]  # PNGs have it
    assert (said["key"], said["rung"], said["exact"]) == (take["key"], HALF, True)
    assert said["attempts"] == take["attempts"][:-1]
    asked = TaskRunFilter(name=TaskRunFilterName(like_="epilogue-01 · take 1"))
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(task_run_filter=asked)
    assert {run.name: run.state_name for run in runs} == {
        f"epilogue-01 · take 1 · {ALL}": "Failed",
        f"epilogue-01 · take 1 · {HALF}": "Completed",
    }
    # Each tag of a task run costs the server a request for a slot.
    assert [run.tags for run in runs] == [[]] * 2


def test_a_process_killed_for_host_memory_is_followed_by_a_rung_that_needs_less_of_it(
    film: Path, store: Path, card: FakeCard
) -> None:
    card.fill(tenant=12.0)
    plant(film, victory="kill over 3")

    render(film)

    assert road(takes(store)["victory-01"]) == [(HALF, "host memory", "denoise"), (COARSE, "rendered", "")]


def test_two_cards_share_the_keyframes_of_one_film(
    film: Path, store: Path, card: FakeCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = replace(card, count=2)
    monkeypatch.setattr("flows.keyframes.this_device", two.look)
    plant(film, jab="denoise over 10")

    render(film)

    opened = {event.split(" on ")[1] for event in card.events if event.startswith("open")}
    assert opened == {"GPU-paper-0", "GPU-paper-1"}
    assert sum(event.startswith("denoised") for event in card.events) == 4
    assert rungs(store) == {"guard-01": ALL, "jab-01": HALF, "jab-02": HALF, "victory-01": ALL}


def test_an_error_that_is_about_no_rung_fails_its_shot_without_a_step_down(film: Path, card: FakeCard) -> None:
    plant(film, guard="crash")

    with pytest.raises(ShotsFailed, match=r"1 of 3 shots failed: guard .*the prompt has no words"):
        render(film)

    assert {event.split(" on ")[0] for event in card.events if event.startswith("open")} == {f"open {ALL}"}


def test_a_rung_that_fails_keyframe_after_keyframe_is_closed(
    film: Path, store: Path, card: FakeCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_RUNG_LIMIT", "2")
    plant(film, guard="denoise over 10", jab="denoise over 10", victory="denoise over 10")

    render(film)

    assert set(rungs(store).values()) == {HALF}
    assert sum(event.startswith(f"open {ALL}") for event in card.events) == 2

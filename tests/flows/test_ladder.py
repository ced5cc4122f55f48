"""Films on a card that runs out of memory, with real child processes that are really killed: no shot is lost."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName

from flows.assemble import assemble
from flows.keyframes import keyframes
from flows.produce import produce
from tests.paper_card import FakeCard
from undercard import backends
from undercard.errors import MixedFilm, ShotsFailed
from undercard.options import RunOptions

pytestmark = pytest.mark.usefixtures("prefect_server")

FOLDER = Path(__file__).parent.parent / "hungry_backends"
ALL, HALF, NOTHING = (f"hungry · {detail} resident" for detail in ("all", "half", "nothing"))
COARSE = "coarse · all resident"


@pytest.fixture(autouse=True)
def hungry_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(FOLDER)])
    # A model that this machine has is none of these tests' business.
    monkeypatch.setattr(backends, "names", lambda: ("coarse", "hungry", "previz"))
    # Children find the tests' own modules.
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent.parent))
    monkeypatch.setenv("UNDERCARD_BUSY_SECONDS", "0")


@pytest.fixture
def card(store: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    found = FakeCard(store)
    for module in ("produce", "keyframes", "assemble"):
        monkeypatch.setattr(f"flows.{module}.this_device", found.look)
    return found


def plant(film: Path, **faults: str) -> None:
    text = film.read_text()
    for shot, fault in faults.items():
        text = text.replace(f"PROMPT-{shot.upper()}", f"{shot} fault: {fault}")
    film.write_text(text)


def manifest_of(store: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next((store / "films").rglob("manifest.json")).read_bytes())
    return found


def takes(store: Path) -> dict[str, dict[str, Any]]:
    return {record["label"]: record["takes"][-1]["take"] for record in manifest_of(store)["keyframes"]}


def rungs(store: Path) -> dict[str, str]:
    return {label: take["rung"] for label, take in takes(store).items()}


def road(take: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(attempt["rung"], attempt["outcome"], attempt["stage"]) for attempt in take["attempts"]]


def render(film: Path, **options: bool) -> None:
    keyframes(RunOptions(shot_list=film, **options))


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
    assert [run.tags for run in runs] == [["rung:hungry"]] * 2


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


def test_a_tenant_that_comes_between_two_keyframes_is_made_room_for(film: Path, store: Path, card: FakeCard) -> None:
    def come() -> None:
        while not any(event.startswith("denoised") for event in card.events):
            time.sleep(0.005)
        card.fill(tenant=12.0)

    tenant = threading.Thread(target=come)
    tenant.start()
    render(film)
    tenant.join()

    assert set(rungs(store).values()) == {ALL, HALF}


def test_what_no_rung_has_room_for_is_drawn_by_the_previz_rather_than_lost(
    film: Path, store: Path, card: FakeCard
) -> None:
    card.fill(tenant=23.5)

    render(film)

    made = takes(store)
    assert set(rungs(store).values()) == {"previz"}
    assert not any(take["exact"] for take in made.values())
    assert road(made["jab-01"]) == [(ALL, "device busy", "open"), ("previz", "rendered", "")]
    # It is no film of the model, whatever its name says.
    with pytest.raises(MixedFilm, match=r"mixes previz \(3 shots\)"):
        assemble(RunOptions(shot_list=film))


def test_what_the_previz_drew_is_rendered_after_all_when_the_tenant_leaves_before_the_run_ends(
    film: Path, store: Path, card: FakeCard
) -> None:
    card.fill(tenant=23.5)

    def leave() -> None:
        while not list((store / "results").glob("take-*")):
            time.sleep(0.005)
        card.fill(tenant=0.0)

    tenant = threading.Thread(target=leave)
    tenant.start()
    render(film)
    tenant.join()

    assert set(rungs(store).values()) == {ALL}
    first = next(record for record in manifest_of(store)["keyframes"] if record["label"] == "guard-01")
    assert [judged["take"]["rung"] for judged in first["takes"]] == ["previz", ALL]


def test_exact_waits_for_the_card_and_goes_on_when_the_tenant_leaves(
    film: Path, store: Path, card: FakeCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_BUSY_SECONDS", "60")
    card.fill(tenant=23.5)
    leaving = threading.Timer(1.5, card.fill, [0.0])
    leaving.start()

    render(film, exact=True)

    leaving.join()
    assert set(rungs(store).values()) == {ALL}


def test_exact_fails_with_what_was_tried_when_its_rungs_end(film: Path, store: Path, card: FakeCard) -> None:
    plant(film, jab="denoise")

    with pytest.raises(ShotsFailed, match=r"no rung is left after hungry · all resident \(out of memory\), .*nothing"):
        render(film, exact=True)

    failed = next(record for record in manifest_of(store)["keyframes"] if record["label"] == "jab-01")
    assert failed["takes"] == []
    assert not any("coarse" in event for event in card.events)


def test_a_rung_that_fails_keyframe_after_keyframe_is_closed(
    film: Path, store: Path, card: FakeCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERCARD_RUNG_LIMIT", "2")
    plant(film, guard="denoise over 10", jab="denoise over 10", victory="denoise over 10")

    render(film)

    assert set(rungs(store).values()) == {HALF}
    assert sum(event.startswith(f"open {ALL}") for event in card.events) == 2


def test_a_mixed_film_is_refused_and_made_whole_by_an_upgrade_or_by_allowing_it(
    film: Path, store: Path, card: FakeCard
) -> None:
    plant(film, victory="denoise over 2")
    with pytest.raises(MixedFilm, match=r"exact pixels \(2 shots\), coarse \(victory\).*`upgrade`.*`mixed`"):
        produce(shot_list=film)
    folder = next((store / "films").iterdir())
    assert (folder / "mixed.mp4").is_file()
    assert not (folder / "film.mp4").exists()
    assert manifest_of(store)["films"]["mixed.mp4"]["mixed"]
    before = len(card.events)

    allowed = assemble(RunOptions(shot_list=film, mixed=True))

    assert allowed.name == "film.mp4"
    assert len(card.events) == before
    (store / "well").touch()
    render(film, upgrade=True)
    upgraded = assemble(RunOptions(shot_list=film))
    assert upgraded.name == "film.mp4"
    assert not manifest_of(store)["films"]["film.mp4"]["mixed"]
    assert [event for event in card.events[before:] if event.startswith("denoised")] == [f"denoised on {ALL}"]
    kept = next(record for record in manifest_of(store)["keyframes"] if record["label"] == "victory-01")
    assert [judged["take"]["exact"] for judged in kept["takes"]] == [False, True]


def test_an_upgrade_that_fails_again_keeps_the_take_there_is(film: Path, store: Path, card: FakeCard) -> None:
    plant(film, victory="denoise over 2")
    render(film)
    before = takes(store)["victory-01"]

    render(film, upgrade=True)

    assert takes(store)["victory-01"] == before


def test_exact_renders_again_what_is_not(film: Path, store: Path, card: FakeCard) -> None:
    plant(film, victory="denoise over 2")
    render(film)
    assert rungs(store)["victory-01"].startswith("coarse")
    (store / "well").touch()

    render(film, exact=True)

    assert set(rungs(store).values()) == {ALL}


def test_a_numerical_failure_is_rendered_again_in_exact_pixels_with_the_same_seed_and_nothing_else_is(
    film: Path, store: Path, card: FakeCard
) -> None:
    plant(film, victory="black")

    keyframes(RunOptions(shot_list=film, backend="coarse"))

    assert rungs(store) == {"guard-01": COARSE, "jab-01": COARSE, "jab-02": COARSE, "victory-01": ALL}
    victory = next(record for record in manifest_of(store)["keyframes"] if record["label"] == "victory-01")
    approaches = [judged["take"]["approach"] for judged in victory["takes"]]
    assert [approach["draw"] for approach in approaches] == [1, 1]
    (repair,) = approaches[1]["repairs"]
    assert (repair["fault"], repair["remedy"], repair["after"]) == ("numerical failure", "higher precision", 1)
    # It is one of another kind, and said to be.
    with pytest.raises(MixedFilm, match=r"coarse \(2 shots\), exact pixels \(victory\)"):
        assemble(RunOptions(shot_list=film, backend="coarse"))

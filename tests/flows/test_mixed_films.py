"""Films whose pictures are not all of one kind: refused, allowed, upgraded, or never made where pixels are exact."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.assemble import assemble
from flows.keyframes import keyframes
from flows.produce import produce
from tests.fakes.paper_card import FakeCard
from tests.flows.conftest import ALL, COARSE, manifest_of, plant, render, rungs, takes
from undercard.errors import MixedFilm, ShotsFailed
from undercard.production.options import RunOptions

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_exact_fails_with_what_was_tried_when_its_rungs_end(film: Path, store: Path, card: FakeCard) -> None:
    plant(film, jab="denoise")

    with pytest.raises(ShotsFailed, match=r"no rung is left after hungry · all resident \(out of memory\), .*nothing"):
        render(film, exact=True)

    failed = next(record for record in manifest_of(store)["keyframes"] if record["label"] == "jab-01")
    assert failed["takes"] == []
    assert not any("coarse" in event for event in card.events)


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

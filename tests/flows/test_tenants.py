"""Films on a card that other processes fill and leave: they wait, step down, draw the previz, and come back."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from flows.assemble import assemble
from tests.fakes.paper_card import FakeCard
from tests.flows.conftest import ALL, HALF, manifest_of, render, road, rungs, takes
from undercard.errors import MixedFilm
from undercard.production.options import RunOptions

pytestmark = pytest.mark.usefixtures("prefect_server")


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

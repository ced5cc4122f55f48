"""Which rung a lane has open, as its card fills and empties."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import here
from tests.fakes import shot_lists
from tests.fakes.paper_card import FakeCard
from tests.paths import FAKES
from tests.production.sessions.test_session import request
from undercard import backends
from undercard.domain.progress import Meter, Stage
from undercard.planning.plan import Plan, plan_film
from undercard.production.sessions.lanes import Lane, lanes_of
from undercard.shotlist.load import load_shot_list

LOG = logging.getLogger("tests")


@pytest.fixture(autouse=True)
def hungry_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = FAKES / "hungry_backends"
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(folder)])
    monkeypatch.setattr(backends, "names", lambda: ("coarse", "hungry", "previz"))
    monkeypatch.setenv("PYTHONPATH", str(folder.parent.parent))


@pytest.fixture
def card(store: Path) -> FakeCard:
    return FakeCard(store)


@pytest.fixture
def plan(tmp_path: Path, card: FakeCard) -> Plan:
    return plan_film(load_shot_list(shot_lists.write(tmp_path)), card.look(), here.settings(), size=(32, 18))


@pytest.fixture
def lane(plan: Plan, card: FakeCard) -> Iterator[Lane]:
    with lanes_of(plan, card.look, Meter(), LOG)[0] as found:
        yield found


def first(lane: Lane, keyframes: int = 5, wanted: str | None = None) -> str:
    return lane.ways(keyframes, wanted).now[0].label


def test_each_card_has_a_lane_and_a_machine_without_one_has_one_too(plan: Plan, card: FakeCard) -> None:
    two = replace(card, count=2).look()

    lanes = lanes_of(replace(plan, device=two), card.look, Meter(), LOG)

    assert [lane.gpu for lane in lanes] == list(two.gpus)
    assert len(lanes_of(replace(plan, device=replace(two, gpus=())), card.look, Meter(), LOG)) == 1


def test_what_its_own_child_holds_counts_as_free(lane: Lane, card: FakeCard) -> None:
    rung = lane.ways(5, None).now[0]
    lane.take_up(rung).render(request())

    assert card.look().gpus[0].free_bytes < rung.needs.vram_bytes
    assert first(lane) == rung.label


def test_what_a_server_holds_is_no_child_of_ours(lane: Lane, card: FakeCard) -> None:
    rung = replace(lane.ways(5, None).now[0], served=True)
    lane.take_up(rung).render(request())

    free = card.look().gpus[0].free_bytes
    assert [gpu.free_bytes for gpu in lane._mine(card.look()).gpus] == [free]


def test_a_tenant_who_takes_what_the_open_rung_needs_moves_it_to_another(lane: Lane, card: FakeCard) -> None:
    lane.take_up(lane.ways(5, None).now[0]).render(request())
    card.fill(tenant=12.0)

    assert first(lane) == "hungry · half resident"


def test_when_the_tenant_leaves_the_open_rung_stays_until_a_faster_one_pays(lane: Lane, card: FakeCard) -> None:
    card.fill(tenant=12.0)
    rung = lane.ways(5, None).now[0]
    lane.take_up(rung).render(request())
    card.fill(tenant=0.0)

    # A second of opening against 0.2 s a keyframe, and a tenth of what is left on top.
    assert first(lane, keyframes=5) == rung.label
    assert first(lane, keyframes=100) == "hungry · all resident"


def test_a_card_that_fell_off_the_bus_leaves_the_last_resort(lane: Lane, plan: Plan, card: FakeCard) -> None:
    lane.look = lambda: replace(card.look(), gpus=())

    found = lane.ways(5, None)

    assert found.now == ()
    assert [rung.backend for rung in found.last] == ["previz"]


def test_the_meter_says_what_a_lane_is_at(lane: Lane) -> None:
    lane.label = "jab-01"
    lane._heard(Stage("denoise", 2, 4))

    assert lane.meter.step == "jab-01 · denoise 2/4"


def test_a_stand_in_leaves_the_open_rung_open(lane: Lane, card: FakeCard) -> None:
    found = lane.ways(5, None)
    lane.take_up(found.now[0]).render(request())

    lane.take_up(found.last[0])

    assert lane.rung == found.now[0]
    assert card._held("GPU-paper-0") == found.now[0].needs.vram_bytes


def test_another_rung_closes_the_one_before(lane: Lane, card: FakeCard) -> None:
    fast, slow, *_ = lane.ways(5, None).now
    lane.take_up(fast).render(request())
    lane.take_up(slow).render(request("a second round"))

    assert lane.rung == slow
    assert card._held("GPU-paper-0") == slow.needs.vram_bytes

"""Which backends a run may use, and which rungs it has at a moment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests import here
from tests.fakes.paper_card import GB, FakeCard
from tests.paths import FAKES
from undercard import backends
from undercard.backends import Work
from undercard.errors import BackendUnavailable
from undercard.hardware.devices import Device
from undercard.planning.choose import choose, ways

WORK = Work((128, 72))
EMPTY = Device(cores=2, host_bytes=64 * GB, host_free_bytes=64 * GB)
BOTH = ("hungry", "coarse")


@pytest.fixture(autouse=True)
def only_hungry_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for backends among those of the tests and the previz alone."""
    folder = FAKES / "hungry_backends"
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(folder)])
    monkeypatch.setattr(backends, "names", lambda: ("coarse", "hungry", "previz"))


@pytest.fixture
def card(store: Path) -> FakeCard:
    return FakeCard(store)


def labels(*rungs: backends.Rung) -> list[str]:
    return [f"{rung.backend} {rung.detail.split()[0]}" if rung.detail else rung.backend for rung in rungs]


def test_auto_takes_the_models_that_run_here_fastest_first(card: FakeCard) -> None:
    assert choose("auto", WORK, card.look(), here.settings(), exact=False).names == BOTH


def test_auto_does_not_let_a_tenant_decide_what_the_film_is_of(card: FakeCard) -> None:
    card.fill(tenant=24.0)

    assert choose("auto", WORK, card.look(), here.settings(), exact=False).names == BOTH


def test_auto_is_the_previz_where_no_model_runs_and_says_why() -> None:
    choice = choose("auto", WORK, EMPTY, here.settings(), exact=False)

    assert choice.names == ("previz",)
    assert choice.why.count("there is no graphics card") == 1


def test_auto_with_exact_pixels_is_refused_where_nothing_gives_them() -> None:
    with pytest.raises(BackendUnavailable, match=r"nothing gives exact Qwen-Image-Edit pixels here: .*graphics card"):
        choose("auto", WORK, EMPTY, here.settings(), exact=True)


def test_exact_pixels_come_from_exact_backends_alone(card: FakeCard) -> None:
    assert choose("auto", WORK, card.look(), here.settings(), exact=True).names == ("hungry",)
    with pytest.raises(BackendUnavailable, match="'coarse' does not give exact"):
        choose("coarse", WORK, card.look(), here.settings(), exact=True)


def test_a_backend_that_is_named_comes_first_and_its_family_is_what_it_steps_down_to(card: FakeCard) -> None:
    choice = choose("coarse", WORK, card.look(), here.settings(), exact=False)

    assert choice.names == ("coarse", "hungry")
    found = ways(choice.names, WORK, card.look(), here.settings(), exact=False, wanted=choice.wanted)
    assert labels(*found.now) == ["coarse all", "coarse nothing", "hungry all", "hungry half", "hungry nothing"]
    assert labels(*found.last) == ["previz"]


def test_what_does_not_fit_now_is_waited_for_only_when_nothing_else_gives_what_was_asked_for(card: FakeCard) -> None:
    card.fill(tenant=20.5)

    any_kind = ways(BOTH, WORK, card.look(), here.settings(), exact=False, wanted=None)
    exact_kind = ways(BOTH, WORK, card.look(), here.settings(), exact=False, wanted="")

    assert labels(*any_kind.now) == ["coarse nothing"]
    assert any_kind.later == ()
    assert labels(*exact_kind.later) == ["hungry all", "hungry half", "hungry nothing"]


def test_exact_has_no_last_resort(card: FakeCard) -> None:
    found = ways(("hungry",), WORK, card.look(), here.settings(), exact=True, wanted="")

    assert labels(*found.now) == ["hungry all", "hungry half", "hungry nothing"]
    assert found.last == ()


def test_the_previz_is_no_last_resort_of_itself(card: FakeCard) -> None:
    assert ways(("previz",), WORK, replace(card.look(), gpus=()), here.settings(), exact=False, wanted=None).last == ()

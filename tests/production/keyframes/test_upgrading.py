"""What a better rung makes of a keyframe that stands, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from tests.production.keyframes.conftest import COARSE, EXACT, PRECISE, PREVIZ, REWORDED, Film
from undercard import backends
from undercard.backends import Needs, Rung
from undercard.domain.takes import Attempt, Take
from undercard.production.keyframes.upgrade import look_higher

FELL_FROM_EXACT = Attempt(rung="hungry · all", backend="hungry", exact=True, outcome="out of memory")


def bettered(film: Film, *takes: Take, offered: Collection[str], fresh: bool = False) -> list[bool]:
    pursuits = film.begun(*(film.record(index, take) for index, take in enumerate(takes)))
    look_higher(pursuits, offered, fresh=fresh)
    return [pursuit.bettered is not None for pursuit in pursuits]


def test_a_take_that_stepped_down_is_bettered_when_what_it_fell_from_fits(film: Film) -> None:
    takes = film.take(0, EXACT), film.take(1, COARSE, FELL_FROM_EXACT)

    assert bettered(film, *takes, offered={EXACT, COARSE}) == [False, True]
    assert bettered(film, *takes, offered={COARSE}) == [False, False]


def test_what_was_chosen_for_all_of_a_film_is_no_step_down(film: Film) -> None:
    takes = film.take(0, COARSE), film.take(1, COARSE)

    assert bettered(film, *takes, offered={EXACT, COARSE}) == [False, False]


def test_a_film_that_became_mixed_by_an_edit_is_made_exact_where_part_of_it_is(film: Film) -> None:
    takes = film.take(0, EXACT), film.take(1, COARSE)

    assert bettered(film, *takes, offered={EXACT}) == [False, True]


def test_the_previz_always_gives_way_to_a_model(film: Film) -> None:
    takes = film.take(0, PREVIZ), film.take(1, PREVIZ)

    assert bettered(film, *takes, offered={COARSE}) == [True, True]


def test_whatever_draws_its_own_control_image_gives_way_to_a_model(
    film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sketch = "from dataclasses import replace\nfrom undercard.backends import previz\n\n"
    (tmp_path / "sketch.py").write_text(f"{sketch}BACKEND = replace(previz.BACKEND, name='sketch')\n")
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path)])
    takes = film.take(0, "sketch"), film.take(1, "sketch")

    assert bettered(film, *takes, offered={COARSE}) == [True, True]


def test_what_earlier_runs_made_is_left_alone_unless_an_upgrade_is_asked_for(film: Film) -> None:
    takes = film.take(0, EXACT), film.take(1, COARSE, FELL_FROM_EXACT)

    assert bettered(film, *takes, offered={EXACT}, fresh=True) == [False, False]


def test_a_take_that_is_to_be_bettered_keeps_its_seed_and_only_better_rungs_are_for_it(film: Film) -> None:
    pursuits = film.begun(film.record(0, film.take(0, EXACT)), film.record(1, film.take(1, COARSE, number=2)))
    look_higher(pursuits, {EXACT})
    needs = Needs(1, 1, 1.0)

    assert pursuits[1].pending
    assert pursuits[1].next_take == 2
    assert pursuits[1].takes_to(Rung("hungry", exact=True, needs=needs))
    assert not pursuits[1].takes_to(Rung("coarse", exact=False, needs=needs))


def test_giving_up_a_better_take_leaves_the_one_there_is(film: Film) -> None:
    pursuits = film.begun(film.record(0, film.take(0, EXACT)), film.record(1, film.take(1, COARSE)))
    look_higher(pursuits, {EXACT})

    pursuits[1].give_up("no rung is left")

    assert not pursuits[1].pending
    assert pursuits[1].error == ""
    assert pursuits[1].accepted is not None


def test_a_repaired_take_stands_and_is_bettered_with_what_repaired_it(film: Film) -> None:
    take = film.take(0, COARSE, FELL_FROM_EXACT, number=2, approach=REWORDED)
    pursuits = film.begun(film.record(0, take))
    assert not pursuits[0].pending

    look_higher(pursuits, {EXACT})

    assert (pursuits[0].next_take, pursuits[0].approach) == (2, REWORDED)


def test_one_keyframe_that_was_repaired_by_exact_pixels_is_no_reason_to_render_all_of_them_so(film: Film) -> None:
    takes = film.take(0, EXACT, approach=PRECISE), film.take(1, COARSE)

    assert bettered(film, *takes, offered={EXACT, COARSE}) == [False, False]

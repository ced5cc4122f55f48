"""A run from its shot list to its film, without Prefect: what is computed once, and what comes after what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import here
from tests.fakes.counted import count_calls
from tests.fakes.runtime import InlineRuntime
from undercard.errors import BadFilm, BadInput, ShotsFailed, StoreError
from undercard.production import manifest
from undercard.production.options import RunOptions
from undercard.production.produce import produce
from undercard.production.run import Run, begin
from undercard.settings import Settings


def test_a_run_plans_reads_the_manifest_scores_and_sums_up_once(
    new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = count_calls(monkeypatch)

    outcome = produce(new_run(handles=True), InlineRuntime())

    assert outcome.problem is None
    assert calls == {"plan_film": 1, "read_records": 1, "score": 1, "shot_rows": 1}


def test_a_second_run_renders_and_encodes_nothing(new_run: Callable[..., Run]) -> None:
    first, again = InlineRuntime(), InlineRuntime()
    made = produce(new_run(), first).film

    assert produce(new_run(), again).film == made
    assert [name for name in first.names if "take" in name] == [
        "jab-01 · take 1 · previz",
        "jab-02 · take 1 · previz",
        "cross-01 · take 1 · previz",
    ]
    assert [name for name in again.names if "take" in name or "segment" in name] == []
    assert [row.status for row in again.rows[-1]] == ["cached", "cached"]


def test_two_runs_of_one_process_each_keep_to_the_store_of_their_settings(
    small_film: Path, tmp_path: Path, store: Path
) -> None:
    stores = [tmp_path / name for name in ("early", "late")]
    options = RunOptions(shot_list=small_film, shots="cross", handles=True, presets=("hevc",))
    runs = [begin(options, Settings(store=one)) for one in stores]

    made = [produce(run, InlineRuntime()).film for run in runs]

    assert [film and film.path.is_relative_to(one) for film, one in zip(made, stores, strict=True)] == [True, True]
    names = [sorted(str(path.relative_to(one)) for path in one.rglob("*") if path.is_file()) for one in stores]
    assert names[0] == names[1]
    # Nobody looked at the store that the environment names.
    assert not store.exists()


def test_the_gate_comes_after_the_takes_that_it_judges(new_run: Callable[..., Run]) -> None:
    runtime = InlineRuntime()

    produce(new_run(), runtime)

    assert runtime.edges == [
        ("jab · gate", "jab-01 · take 1 · previz"),
        ("jab · gate", "jab-02 · take 1 · previz"),
        ("cross · gate", "cross-01 · take 1 · previz"),
    ]


def test_a_shot_that_fails_stops_neither_the_others_nor_their_excerpt(
    new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from undercard.previz import render

    draw = render.draw
    failing = new_run().plan.keyframes(new_run().plan.shots[1])[0].staging
    monkeypatch.setattr(render, "draw", lambda staging, *rest: _fail() if staging == failing else draw(staging, *rest))

    outcome = produce(new_run(), InlineRuntime())

    assert isinstance(outcome.problem, ShotsFailed)
    assert str(outcome.problem).startswith("1 of 2 shots failed: cross (cross-01: no space left)")
    assert outcome.film is not None
    assert outcome.film.path.name == "excerpt.mp4"
    assert [row.status for row in outcome.rows] == ["accepted", "failed"]
    monkeypatch.setattr(render, "draw", draw)
    assert [shot.id for shot in new_run(failed=True).plan.shots] == ["cross"]
    assert produce(new_run(failed=True), InlineRuntime()).problem is None
    with pytest.raises(BadInput, match=r"every shot in .* has its accepted keyframes"):
        new_run(failed=True)


def _fail() -> Any:
    raise StoreError("no space left")


def test_where_no_shot_has_its_keyframes_there_is_no_film(
    new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("undercard.previz.render.draw", lambda *_arguments: _fail())

    outcome = produce(new_run(), InlineRuntime())

    assert isinstance(outcome.problem, ShotsFailed)
    assert outcome.film is None
    assert {row.status for row in outcome.rows} == {"failed"}


def test_a_piece_that_cannot_be_encoded_ends_the_run(
    new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> Any:
        raise BadFilm("the piece is black")

    monkeypatch.setattr("undercard.film.checking.qc.check_piece", refuse)

    with pytest.raises(BadFilm, match="the piece is black"):
        produce(new_run(), InlineRuntime())


def test_a_film_and_its_masters_are_remembered_after_a_run_of_one_shot(new_run: Callable[..., Run]) -> None:
    whole = produce(new_run(presets=("hevc",)), InlineRuntime()).film
    assert whole is not None

    produce(new_run(shots="jab"), InlineRuntime())

    kept = manifest.read_film(new_run().folder, Path(whole.path).name, here.store())
    assert kept is not None
    assert kept.masters == whole.record.masters != ()
    assert kept.delivered == whole.record.delivered

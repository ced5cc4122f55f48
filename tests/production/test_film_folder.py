"""One folder a shot list, although two may have one title; one run of a film at a time."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import here
from tests.fakes.runtime import InlineRuntime
from undercard import settings
from undercard.production import film_folder, run, turns
from undercard.production.film_folder import MANIFEST, RUN
from undercard.production.options import RunOptions
from undercard.production.produce import Production, produce
from undercard.production.run import Run, begin

HOLDER = """
import sys, time
from pathlib import Path
from undercard.production.turns import turn
with turn(Path(sys.argv[1]), lambda: None):
    print("mine", flush=True)
    time.sleep(60)
"""


def run_of(shot_list: Path) -> Run:
    return begin(RunOptions(shot_list=shot_list), here.settings())


def copy_of(shot_list: Path, name: str) -> Path:
    copy = shot_list.with_name(name)
    copy.write_text(shot_list.read_text().replace("blue: hurt", "blue: guard"))
    return copy


def at_once(runs: list[Run]) -> tuple[list[Production], list[InlineRuntime]]:
    runtimes = [InlineRuntime() for _ in runs]
    with ThreadPoolExecutor(len(runs)) as pool:
        return list(pool.map(produce, runs, runtimes)), runtimes


def test_two_shot_lists_of_one_title_have_a_film_each(small_film: Path) -> None:
    other = copy_of(small_film, "other.yaml")

    films = [produce(run_of(path), InlineRuntime()).film for path in (small_film, other, small_film)]

    paths = [film and film.path for film in films]
    assert paths[0] == paths[2] != paths[1]
    assert paths[0] == here.store().root / "films" / "small-128x72-previz" / "film.mp4"
    noted = [json.loads(path.with_name(MANIFEST).read_text())["shot_list"] for path in paths[:2] if path]
    assert noted == [str(small_film), str(other)]


def test_two_shot_lists_of_one_title_that_are_rendered_for_the_first_time_at_once_have_a_film_each(
    small_film: Path,
) -> None:
    made, _ = at_once([run_of(small_film), run_of(copy_of(small_film, "other.yaml"))])

    assert [one.problem for one in made] == [None, None]
    assert len({one.folder for one in made}) == 2
    assert all(one.film is not None and one.film.path.parent == one.folder for one in made)


def test_a_shot_list_that_was_moved_keeps_its_film(small_film: Path) -> None:
    before = produce(run_of(small_film), InlineRuntime())
    moved = small_film.rename(small_film.with_name("moved.yaml"))

    after = produce(run_of(moved), InlineRuntime())

    assert after.folder == before.folder
    assert [row.status for row in after.rows] == ["cached", "cached"]


def test_a_folder_of_an_earlier_release_belongs_to_the_list_that_its_manifest_names(small_film: Path) -> None:
    folder = produce(run_of(small_film), InlineRuntime()).folder
    (folder / RUN).unlink()

    assert run_of(small_film).folder == folder
    assert run_of(copy_of(small_film, "other.yaml")).folder != folder


def test_looking_at_a_film_claims_no_folder(small_film: Path, store: Path) -> None:
    run_of(small_film)

    assert not (store / "films").exists()


def test_a_film_that_two_runs_want_at_once_is_rendered_once(small_film: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        made, runtimes = at_once([run_of(small_film), run_of(small_film)])

    takes = [name for runtime in runtimes for name in runtime.names if "take" in name or "segment" in name]
    assert len(takes) == len(set(takes)) == 5
    assert [one.problem for one in made] == [None, None]
    assert made[0].film == made[1].film
    assert "waiting for another run of this film" in caplog.text


def test_a_run_that_waited_for_another_sees_what_that_one_left(
    small_film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = run_of(small_film), run_of(small_film)
    waits, begun = threading.Event(), []
    real = run.begin

    def note(options: RunOptions, given: settings.Settings, look: Callable[[settings.Settings], object]) -> Run:
        begun.append(options)
        return real(options, given, look)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(run, "begin", note)
    monkeypatch.setattr(logging.getLogger("tests"), "warning", lambda *_: waits.set())

    with ThreadPoolExecutor(1) as pool, turns.turn(first.folder / ".run", lambda: None):
        waiting = pool.submit(produce, second, InlineRuntime())
        assert waits.wait(30)
        # Whoever has the turn may finish; the other one has begun nothing.
        assert begun == []

        film_folder.claim(first.plan, first.options)

    assert waiting.result(60).problem is None
    assert len(begun) == 1


def test_the_turn_of_a_process_that_dies_ends_with_it(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=settings.child_environment({}),
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "mine\n"

    with turns.turn(tmp_path, holder.kill) as waited:
        assert waited
    holder.wait(30)
    holder.stdout.close()

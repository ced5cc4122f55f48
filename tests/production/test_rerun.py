"""Shots of a film again: which of them, with what the last run was asked for, and anew if they are named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import here
from tests.fakes.runtime import InlineRuntime
from undercard.domain.takes import Attempt
from undercard.errors import BadInput
from undercard.gate.contract import Fault, Finding, Verdict
from undercard.production import manifest
from undercard.production.film_folder import MANIFEST, claim
from undercard.production.options import RunOptions
from undercard.production.produce import produce
from undercard.production.rerun import options_for
from undercard.production.run import Run, begin

REJECTED = Verdict(
    findings=(Finding(check="blur", score=1.0, threshold=0.5, passed=False, cause="soft", fault=Fault.SOFT),)
)


@pytest.fixture
def film(new_run: Callable[..., Run]) -> Path:
    """Render the small film, and return its folder."""
    return produce(new_run(size="96x64", backend="previz"), InlineRuntime()).folder


def rerun(which: str = "listed", shots: str = "", film: str = "") -> tuple[Path | None, InlineRuntime]:
    runtime = InlineRuntime()
    options = options_for(here.store(), film, which, shots)  # type: ignore[arg-type]  # as a form sends it
    made = produce(begin(options, here.settings()), runtime)
    return made.film.path if made.film else None, runtime


def takes_in(runtime: InlineRuntime) -> list[str]:
    return [name for name in runtime.names if " take " in name or "· take" in name]


def change(folder: Path, label: str, **changes: object) -> None:
    """Change the newest take of a keyframe, or what was said of it, in the manifest."""
    content = json.loads((folder / MANIFEST).read_text())
    judged = next(one for one in content["keyframes"] if one["label"] == label)["takes"][-1]
    judged.update({key: value for key, value in changes.items() if key in judged})
    judged["take"].update({key: value for key, value in changes.items() if key in judged["take"]})
    (folder / MANIFEST).write_text(json.dumps(content))


def test_a_rerun_has_the_size_and_the_backend_of_the_last_run(film: Path) -> None:
    options = options_for(here.store(), "", "failed")

    assert (options.size, options.backend, options.failed) == ("96x64", "previz", True)
    assert options.shot_list.is_absolute()


def test_a_listed_shot_is_rendered_anew_although_it_was_accepted_and_the_film_shows_it(film: Path) -> None:
    before = manifest.read_records(film, here.store())
    bytes_before = (film / "film.mp4").read_bytes()

    path, runtime = rerun(shots="cross")

    after = manifest.read_records(film, here.store())
    assert takes_in(runtime) == ["cross-01 · take 2 · previz"]
    assert path == film / "film.mp4"
    assert path.read_bytes() != bytes_before
    assert after["jab-01"] == before["jab-01"]
    first, second = (judged.take for judged in after["cross-01"].takes)
    assert (first.number, second.number) == (1, 2)
    assert first.picture.sha256 != second.picture.sha256
    assert after["cross-01"].accepted == second


def test_a_listed_shot_keeps_its_accepted_take_where_no_new_one_is_accepted(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = manifest.read_records(film, here.store())["cross-01"].accepted
    monkeypatch.setattr("undercard.gate.judging.judge", lambda _evidence: REJECTED)

    path, runtime = rerun(shots="cross")

    assert len(takes_in(runtime)) == 3
    assert path == film / "film.mp4"
    assert manifest.read_records(film, here.store())["cross-01"].accepted == before


def test_listing_a_shot_again_makes_another_picture_each_time(film: Path) -> None:
    for _ in range(2):
        rerun(shots="cross")

    takes = [judged.take for judged in manifest.read_records(film, here.store())["cross-01"].takes]
    assert [take.number for take in takes] == [1, 2, 3]
    assert len({take.picture.sha256 for take in takes}) == 3


def test_after_a_crash_the_shots_that_are_left_are_rendered(new_run: Callable[..., Run]) -> None:
    begun = new_run(size="96x64")
    # What a run leaves whose host died before it could write its manifest.
    folder = claim(begun.plan, begun.options)

    path, runtime = rerun("failed")

    assert path == folder / "film.mp4"
    assert len(takes_in(runtime)) == 3


def test_after_a_crash_that_left_only_the_film_to_cut_that_is_cut(film: Path) -> None:
    (film / "film.mp4").unlink()

    path, runtime = rerun("failed")

    assert path == film / "film.mp4"
    assert path.is_file()
    assert takes_in(runtime) == []


def test_the_shots_that_the_gate_rejected_are_rendered_again(film: Path) -> None:
    change(film, "cross-01", verdict=REJECTED.model_dump(mode="json"))

    _, runtime = rerun("rejected")

    assert takes_in(runtime) == ["cross-01 · take 2 · previz"]


def test_the_shots_that_stepped_down_are_asked_for_with_upgrade(film: Path) -> None:
    lower = Attempt(rung="bf16", backend="bf16", exact=True, outcome="out of memory", stage="denoise", detail="")
    made = json.loads((film / MANIFEST).read_text())["keyframes"][0]["takes"][0]["take"]["attempts"]
    change(film, "jab-01", attempts=[lower.model_dump(mode="json"), *made])

    options = options_for(here.store(), "", "stepped down")

    assert (options.shots, options.upgrade) == ("jab", True)


@pytest.mark.parametrize(
    ("which", "shots", "message"),
    [
        ("failed", "", "every shot in .* has its accepted keyframes"),
        ("rejected", "", "no shot of small-96x64-previz was rejected; choose `listed`"),
        ("stepped down", "", "no shot of small-96x64-previz was stepped down"),
        ("listed", "", "no shot is named; write numbers"),
        ("failed", "jab", "shots 'jab' are named, and 'failed' chooses by itself"),
        ("listed", "jabb", "jabb"),
    ],
)
def test_a_rerun_that_would_render_nothing_says_so(film: Path, which: str, shots: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        rerun(which, shots)


def test_the_film_that_was_rendered_last_is_meant_where_none_is_named(film: Path, small_film: Path) -> None:
    other = small_film.with_name("other.yaml")
    other.write_text(small_film.read_text().replace("title: Small", "title: Other"))
    produce(begin(RunOptions(shot_list=other, size="96x64"), here.settings()), InlineRuntime())
    os.utime(film / "run.json", (1, 1))

    assert options_for(here.store(), "", "failed").shot_list == other
    assert options_for(here.store(), film.name, "failed").shot_list == small_film


def test_a_film_that_does_not_exist_is_refused_with_those_that_do(film: Path) -> None:
    with pytest.raises(BadInput, match=r"film .smal. does not exist in .*; name one of small-96x64-previz"):
        options_for(here.store(), "smal", "failed")


def test_nothing_can_be_rendered_again_before_anything_was(store: Path) -> None:
    with pytest.raises(BadInput, match=r"nothing was rendered yet in .*; render a shot list first"):
        options_for(here.store(), "", "failed")

"""What a run writes into a film's manifest, and what others wrote there in between."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import here
from undercard import settings
from undercard.domain import pictures
from undercard.domain.requests import Control
from undercard.domain.takes import Take
from undercard.errors import BadInput, MissingObject, StoreError
from undercard.gate.contract import Fault, Finding, Verdict
from undercard.production import manifest, turns
from undercard.production.film_folder import MANIFEST
from undercard.production.records import FilmRecord, Judged, KeyframeRecord, Manifest

PLANNED = [("jab-01", "a" * 64), ("nod-01", "b" * 64)]


def take(key: str, number: int = 1) -> Take:
    drawn = pictures.stored(Image.new("L", (8, 8), number), here.store())
    control = Control(key=key, frame=drawn, depth=drawn, normals=drawn, skeleton=drawn, keypoints=drawn, seconds=0.0)
    return Take(key=key, number=number, backend="previz", picture=drawn, control=control, seconds=0.1)


def record(label: str = "jab-01", *, passed: bool = True, key: str = "a" * 64, number: int = 1) -> KeyframeRecord:
    fault = None if passed else Fault.SOFT
    finding = Finding(
        check="blur", score=1.0, threshold=0.5, passed=passed, cause="" if passed else "soft", fault=fault
    )
    judged = Judged(take=take(key, number), verdict=Verdict(findings=(finding,)), cached=False)
    return KeyframeRecord(label=label, shot=label[:-3], frame=0, key=key, gate=1, takes=(judged,))


def manifest_of(*records: KeyframeRecord) -> Manifest:
    return Manifest(
        undercard="1", title="A Duel", shot_list="duel.yaml", size=(8, 8), fps="24", backend="previz", keyframes=records
    )


def write(folder: Path, *records: KeyframeRecord, before: dict[str, KeyframeRecord] | None = None) -> dict[str, Any]:
    return dict(manifest.update_keyframes(folder, manifest_of(*records), PLANNED, before or {}, here.store()))


def film() -> FilmRecord:
    stored = pictures.stored(Image.new("L", (8, 8), 9), here.store())
    return FilmRecord(
        file=stored, frames=1, seconds="1", codec="h264", pixel_format="yuv420p", shots=("jab",), masters=("c" * 64,)
    )


def test_a_later_run_keeps_the_films_of_earlier_ones(tmp_path: Path) -> None:
    write(tmp_path, record())
    manifest.add_film(tmp_path, "film.mp4", film())

    write(tmp_path, record("nod-01", key="b" * 64), before=manifest.read_records(tmp_path, here.store()))

    assert manifest.read_film(tmp_path, "film.mp4", here.store()) == film()
    assert list(manifest.read_records(tmp_path, here.store())) == ["jab-01", "nod-01"]


def test_an_approval_during_a_run_is_kept(tmp_path: Path) -> None:
    write(tmp_path, record(passed=False))
    before = manifest.read_records(tmp_path, here.store())
    assert manifest.approve(tmp_path, ["jab"], here.store()) == {"jab-01": 1}

    after = write(tmp_path, record(passed=False), before=before)

    assert after["jab-01"].accepted is not None


def test_a_take_that_another_run_had_accepted_meanwhile_is_kept(tmp_path: Path) -> None:
    write(tmp_path, record(passed=False))
    before = manifest.read_records(tmp_path, here.store())
    write(tmp_path, record(number=2), before=before)

    after = write(tmp_path, record(passed=False, number=3), before=before)

    assert [judged.take.number for judged in after["jab-01"].takes] == [2]


def test_shots_that_another_run_rendered_meanwhile_are_kept(tmp_path: Path) -> None:
    write(tmp_path, record("nod-01", key="b" * 64))

    after = write(tmp_path, record(), before={})

    assert list(after) == ["jab-01", "nod-01"]


def test_what_the_shot_list_no_longer_asks_for_is_dropped(tmp_path: Path) -> None:
    write(tmp_path, record(key="c" * 64))

    assert list(write(tmp_path, record("nod-01", key="b" * 64))) == ["nod-01"]


def test_a_writer_reads_what_the_one_before_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, record(passed=False), record("nod-01", passed=False, key="b" * 64))
    both_have_read = threading.Barrier(2)
    content = manifest._content

    def read_and_wait(folder: Path) -> dict[str, Any]:
        found = content(folder)
        # Without a lock both come here before either writes; with one the second waits for the first.
        with suppress(threading.BrokenBarrierError):
            both_have_read.wait(0.5)
        return found

    monkeypatch.setattr(manifest, "_content", read_and_wait)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda shot: manifest.approve(tmp_path, [shot], here.store()), ("jab", "nod")))

    monkeypatch.setattr(manifest, "_content", content)
    assert all(one.accepted is not None for one in manifest.read_records(tmp_path, here.store()).values())


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    write(tmp_path, record(passed=False), record("nod-01", passed=False, key="b" * 64))
    code = (
        "import sys; from pathlib import Path;"
        "from undercard.production import manifest; from undercard.store import Store;"
        "manifest.approve(Path(sys.argv[1]), [sys.argv[2]], Store(Path(sys.argv[3])))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), shot, str(here.store().root)],
            env=settings.child_environment({}),
        )
        for shot in ("jab", "nod")
    ]

    assert [process.wait(60) for process in both] == [0, 0]
    assert all(one.accepted is not None for one in manifest.read_records(tmp_path, here.store()).values())


def test_a_manifest_that_stays_locked_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WRITING_SECONDS", 0.05)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with turns.locked(tmp_path / MANIFEST):
            entered.set()
            leave.wait(20)

    holding = threading.Thread(target=hold)
    holding.start()
    entered.wait(20)
    try:
        with pytest.raises(StoreError, match="locked by another process"):
            write(tmp_path, record())
    finally:
        leave.set()
        holding.join()


def test_a_record_whose_picture_is_gone_or_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    gone = record()
    write(tmp_path, gone, record("nod-01", key="b" * 64, number=2))
    here.store().path_of(gone.takes[0].take.picture).unlink()
    content = json.loads((tmp_path / MANIFEST).read_bytes())
    content["keyframes"].append({"label": "neither"})
    (tmp_path / MANIFEST).write_text(json.dumps(content))

    assert list(manifest.read_records(tmp_path, here.store())) == ["nod-01"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"keyframes": 3}', "null"])
def test_a_manifest_that_cannot_be_read_says_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(content)

    assert manifest.read_records(tmp_path, here.store()) == {}
    assert manifest.read_film(tmp_path, "film.mp4", here.store()) is None


def test_a_film_without_keyframes_is_not_noted(tmp_path: Path) -> None:
    with pytest.raises(MissingObject, match="render the keyframes first"):
        manifest.add_film(tmp_path, "film.mp4", film())


def test_approving_names_what_there_is(tmp_path: Path) -> None:
    write(tmp_path, record(passed=False))

    with pytest.raises(BadInput, match="nothing of nod needs review"):
        manifest.approve(tmp_path, ["nod"], here.store())
    with pytest.raises(BadInput, match="jab-01 has no take 7; it has 1"):
        manifest.approve(tmp_path, ["jab-01"], here.store(), take=7)

"""The rows that people read after a run."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from undercard import shotlist, store
from undercard.devices import Device
from undercard.gate import Finding, Verdict
from undercard.manifest import Judged, KeyframeRecord
from undercard.planning import Plan, plan
from undercard.report import shot_rows, summary
from undercard.requests import Control, Take

FILM = """\
title: Two shots
size: 128x72
cast:
  red: {name: Red, corner: red}
  blue: {name: Blue, corner: blue}
shots:
  - id: jab
    length: 24
    keyframes:
      - {at: 0, poses: {red: guard, blue: guard}}
      - {at: 8, poses: {red: coil_lead}}
      - {at: 10, poses: {red: jab}, ease: snap}
      - {at: 20, poses: {red: guard}}
  - id: bow
    length: 12
    motion: hold
    keyframes:
      - {at: 0, poses: {red: bow}}
"""


def planned(folder: Path) -> Plan:
    path = folder / "film.yaml"
    path.write_text(FILM)
    return plan(shotlist.load(path), Device(cores=2, host_bytes=0))


def record(film: Plan, label: str, *, passed: bool = True, grey: int = 0) -> KeyframeRecord:
    keyframe = next(found for shot in film.shots for found in film.keyframes(shot) if found.label == label)
    picture = folder_picture(grey)
    control = Control(
        key="k", frame=picture, depth=picture, normals=picture, skeleton=picture, keypoints=picture, seconds=0.5
    )
    cause = "" if passed else "soft: 0.01 where 0.045 is needed"
    finding = Finding(check="blur", score=0.5, threshold=0.045, passed=passed, cause=cause)
    take = Take(key="k", number=2, backend="previz", picture=picture, control=control, seconds=0.5)
    judged = Judged(take=take, verdict=Verdict(findings=(finding,)), cached=False)
    return KeyframeRecord(label=label, shot=keyframe.shot.id, frame=keyframe.frame, key="k", gate=1, takes=(judged,))


def folder_picture(grey: int) -> store.StoredFile:
    with store.scratch(".png") as path:
        Image.new("L", (8, 8), grey).save(path)
        return store.put_file(path)


def test_a_shot_is_shown_by_the_keyframe_on_which_its_blow_lands(tmp_path: Path) -> None:
    film = planned(tmp_path)
    records = {f"jab-0{n}": record(film, f"jab-0{n}", grey=n) for n in (1, 2, 3, 4)}

    row = shot_rows(film, records)[0]

    assert row.picture == records["jab-03"].takes[0].take.picture.absolute
    assert (row.status, row.take, row.backend, row.seconds) == ("accepted", "2", "previz", 2.0)


def test_a_failed_shot_shows_the_keyframe_that_failed_and_why(tmp_path: Path) -> None:
    film = planned(tmp_path)
    records = {
        "jab-01": record(film, "jab-01", passed=False, grey=1),
        "jab-03": record(film, "jab-03", grey=3),
    }

    row = shot_rows(film, records)[0]

    assert row.status == "failed"
    assert row.picture == records["jab-01"].takes[0].take.picture.absolute
    assert row.cause == "jab-01: soft: 0.01 where 0.045 is needed"


def test_the_summary_counts_shots_by_what_came_of_them(tmp_path: Path) -> None:
    film = planned(tmp_path)
    rows = shot_rows(film, {"bow-01": record(film, "bow-01")})

    assert summary(film, rows) == "2 shots · 1 accepted · 1 skipped · 128×72 · previz"

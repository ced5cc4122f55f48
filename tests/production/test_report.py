"""The rows that people read after a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageColor

from tests import here
from undercard import store
from undercard.domain.requests import Control
from undercard.domain.takes import Approach, Attempt, Outcome, Remedy, Repair, Take
from undercard.film.sheet.contact_sheet import AMBER
from undercard.gate.contract import Finding, Verdict
from undercard.hardware.devices import Device
from undercard.planning.plan import Plan, plan_film
from undercard.production.records import Judged, KeyframeRecord
from undercard.production.report import draw_sheet, mixture, shot_rows, summary
from undercard.shotlist.load import load_shot_list

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
    return plan_film(load_shot_list(path), Device(cores=2, host_bytes=0), here.settings())


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
    with here.store().scratch(".png") as path:
        Image.new("L", (8, 8), grey).save(path)
        return here.store().put_file(path)


def test_a_shot_is_shown_by_the_keyframe_on_which_its_blow_lands(tmp_path: Path) -> None:
    film = planned(tmp_path)
    records = {f"jab-0{n}": record(film, f"jab-0{n}", grey=n) for n in (1, 2, 3, 4)}

    row = shot_rows(film, records)[0]

    assert row.picture == here.store().path_of(records["jab-03"].takes[0].take.picture)
    assert (row.status, row.take, row.backend, row.seconds) == ("accepted", "2", "previz", 2.0)


def test_a_shot_that_needs_review_shows_the_keyframe_that_was_rejected_and_why(tmp_path: Path) -> None:
    film = planned(tmp_path)
    records = {
        "jab-01": record(film, "jab-01", passed=False, grey=1),
        "jab-03": record(film, "jab-03", grey=3),
    }

    row = shot_rows(film, records)[0]

    assert row.status == "needs review"
    assert row.picture == here.store().path_of(records["jab-01"].takes[0].take.picture)
    assert row.cause == "jab-01: soft: 0.01 where 0.045 is needed"


def stepped_down(film: Plan, label: str, backend: str, *causes: tuple[Outcome, str]) -> KeyframeRecord:
    made = record(film, label)
    detours = [
        Attempt(rung="bf16 · all resident", backend="bf16", exact=True, outcome=outcome, stage=stage)
        for outcome, stage in causes
    ]
    end = Attempt(rung=backend, backend=backend, exact=False, outcome="rendered")
    take = made.takes[0].take.model_copy(
        update={"backend": backend, "rung": backend, "attempts": (*detours, end), "exact": backend == "bf16"}
    )
    return made.model_copy(update={"takes": (made.takes[0].model_copy(update={"take": take}),)})


def test_a_shot_that_took_another_road_says_which_and_why(tmp_path: Path) -> None:
    film = planned(tmp_path)
    record = stepped_down(film, "bow-01", "fp8", ("device fault", "denoise"), ("out of memory", "decode"))

    rows = shot_rows(film, {"bow-01": record})

    assert rows[1].road == "fp8 after device fault in denoise on bf16, out of memory in decode on bf16"
    assert summary(film, rows) == "2 shots · 1 accepted · 1 skipped · 1 on another road · 128×72 · previz"


def test_a_road_is_written_on_the_contact_sheet_in_a_colour_of_its_own(tmp_path: Path) -> None:
    film = planned(tmp_path)
    straight = draw_sheet(shot_rows(film, {"bow-01": record(film, "bow-01")}), "Film", "")
    detour = draw_sheet(
        shot_rows(film, {"bow-01": stepped_down(film, "bow-01", "fp8", ("out of memory", "denoise"))}), "Film", ""
    )

    amber = ImageColor.getrgb(AMBER)
    assert amber not in [colour for _, colour in straight.getcolors(100_000) or []]
    assert amber in [colour for _, colour in detour.getcolors(100_000) or []]


def mixed(film: Plan, **backends: str) -> str:
    takes = {shot: (stepped_down(film, f"{shot}-01", backend).takes[0].take,) for shot, backend in backends.items()}
    return mixture(replace(film, in_child=True), takes)


def test_a_mixture_names_the_kinds_of_pixels_and_the_shots_of_the_fewer(tmp_path: Path) -> None:
    film = planned(tmp_path)

    assert mixed(film, jab="bf16", bow="fp8") == "exact pixels (1 shot), fp8 (bow)"
    assert mixed(film, jab="fp8", bow="fp8") == ""


def test_the_previz_in_place_of_a_model_is_a_mixture_even_alone(tmp_path: Path) -> None:
    film = planned(tmp_path)

    assert mixed(film, jab="previz", bow="previz") == "previz (2 shots)"


def test_the_summary_counts_shots_by_what_came_of_them(tmp_path: Path) -> None:
    film = planned(tmp_path)
    rows = shot_rows(film, {"bow-01": record(film, "bow-01")})

    assert summary(film, rows) == "2 shots · 1 accepted · 1 skipped · 128×72 · previz"


def test_a_row_says_what_its_takes_were_repaired_by_and_shows_those_that_were_rejected(tmp_path: Path) -> None:
    film = planned(tmp_path)
    first = record(film, "bow-01", passed=False, grey=1).takes[0]
    repair = Repair(remedy=Remedy.MORE_STEPS, detail="8", fault="soft", cause=first.verdict.causes[0], after=2)
    second = record(film, "bow-01", grey=2).takes[0]
    mended = second.take.model_copy(update={"number": 3, "approach": Approach(draw=2, repairs=(repair,))})
    made = record(film, "bow-01").model_copy(update={"takes": (first, second.model_copy(update={"take": mended}))})

    row = shot_rows(film, {"bow-01": made})[1]

    assert (row.status, row.take, row.mended) == ("accepted", "3", "soft: more steps")
    (rejection,) = row.rejected
    assert (rejection.label, rejection.answer) == ("bow-01 take 2", "more steps: 8")
    assert rejection.cause == "soft: 0.01 where 0.045 is needed"
    assert rejection.picture == here.store().path_of(first.take.picture)


def test_what_was_approved_by_hand_is_said_to_be(tmp_path: Path) -> None:
    film = planned(tmp_path)
    rejected = record(film, "bow-01", passed=False)
    approved = rejected.model_copy(update={"takes": (rejected.takes[0].model_copy(update={"approved": True}),)})

    before, after = (shot_rows(film, {"bow-01": one})[1] for one in (rejected, approved))

    assert (before.status, before.mended, len(before.rejected)) == ("needs review", "", 1)
    assert before.rejected[0].answer == "kept for review"
    assert (after.status, after.mended, after.rejected) == ("accepted", "approved by hand", ())

"""How many pictures a keyframe is drawn from, counted before anything is rendered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests import here
from tests.fakes.shot_lists import duel
from undercard.domain.staging import Staging
from undercard.hardware.devices import Device
from undercard.planning import work
from undercard.planning.plan import plan_film
from undercard.shotlist import direction
from undercard.shotlist.models import Shot, ShotList

SIZE = (512, 288)


def references(film: ShotList, count: int | None = None) -> int:
    """Return what the costliest of the first *count* shots is drawn from."""
    return work.costliest(film, film.shots[:count], SIZE).references


def test_two_fighters_and_a_control_image_are_three_pictures(tmp_path: Path) -> None:
    assert references(duel(tmp_path)) == 3


def test_whom_no_camera_sees_costs_nothing(tmp_path: Path) -> None:
    alone = duel(tmp_path, ("length: 24", "camera: close_up\n    length: 24"))

    assert references(alone) == 2
    assert work.at_most(alone, SIZE).references == 3


def test_only_the_shots_that_are_rendered_count(tmp_path: Path) -> None:
    film = duel(tmp_path)
    (nod,) = film.shots[1:]

    assert work.costliest(film, [nod], SIZE).references == 2


def test_a_picture_of_the_users_own_costs_what_a_sheet_costs(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "ray.png")

    assert references(duel(tmp_path, ("corner: red", "corner: red, reference: ray.png"))) == 3


def test_a_film_without_sheets_costs_the_pictures_that_its_user_has(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "ray.png")

    assert references(duel(tmp_path, ("cast:", "sheets: false\ncast:"))) == 1
    own = (("cast:", "sheets: false\ncast:"), ("corner: red", "corner: red, reference: ray.png"))
    assert references(duel(tmp_path, *own)) == 2


@pytest.mark.parametrize("camera", ["wide", "close_up", "pov", "over_the_shoulder", "corner"])
def test_a_plan_counts_as_many_pictures_as_its_requests_name(tmp_path: Path, camera: str) -> None:
    film = duel(tmp_path, ("length: 24", f"camera: {camera}\n    length: 24"))
    plan = plan_film(film, Device(cores=1, host_bytes=0), here.settings(), backend="previz", size=SIZE)
    modelled = replace(plan, prompted=True, renderer="")

    counted = work.costliest(film, plan.shots, SIZE).references

    named = [1 + len(keyframe.likenesses) for shot in plan.shots for keyframe in modelled.keyframes(shot)]
    assert counted == max(named)
    assert counted <= work.at_most(film, SIZE).references


def test_nobody_is_staged_after_a_keyframe_that_asks_the_most_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = duel(tmp_path)
    jab, nod = film.shots
    staged = direction.stagings(film, jab)

    def stagings(_: ShotList, shot: Shot) -> tuple[tuple[int, Staging], ...]:
        assert shot is jab
        return staged

    monkeypatch.setattr(direction, "stagings", stagings)

    assert work.costliest(film, [jab, nod], SIZE).references == 3

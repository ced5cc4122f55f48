from __future__ import annotations

from pathlib import Path

from tests import here
from tests.fakes.shot_lists import duel
from undercard.domain.requests import Control
from undercard.domain.takes import Take
from undercard.film.checking.watch import Expected
from undercard.hardware.probe import this_device
from undercard.planning.plan import plan_film
from undercard.production.assembly import expectations
from undercard.shotlist.models import ShotList


def take(picture: bytes) -> Take:
    stored = here.store().put_bytes(picture, ".png")
    control = Control(
        key="", frame=stored, depth=stored, normals=stored, skeleton=stored, keypoints=stored, seconds=0.0
    )
    return Take(key="", number=1, backend="previz", picture=stored, control=control, seconds=0.0)


def expected(shot_list: ShotList, *pictures: bytes) -> list[Expected]:
    """What each piece may show, when the keyframes of shot `jab` look like *pictures*."""
    plan = plan_film(shot_list, this_device(here.settings()), here.settings(), backend="previz", size=(64, 48))
    takes = {shot.id: tuple(take(picture) for picture in pictures[: len(shot.keyframes)]) for shot in plan.shots}
    return [expectations.expected(plan, piece, takes) for piece in plan.timeline.pieces()]


def test_a_shot_moves_between_keyframes_that_differ(tmp_path: Path) -> None:
    jab, nod = expected(duel(tmp_path), b"guard", b"jab")

    assert jab.moves == ((0, 9),)
    assert nod.moves == ()


def test_a_shot_whose_keyframes_are_one_picture_may_stand(tmp_path: Path) -> None:
    assert expected(duel(tmp_path), b"guard", b"guard")[0].moves == ()


def test_a_freeze_on_purpose_is_no_fault(tmp_path: Path) -> None:
    jab = expected(duel(tmp_path, ("{at: 0, poses: {ray", "{at: 0, freeze: 6, poses: {ray")), b"guard", b"jab")[0]

    assert jab.moves == ((6, 15),)


def test_a_travelling_camera_moves_but_for_the_ends_of_its_way(tmp_path: Path) -> None:
    jab = expected(duel(tmp_path, ("    length: 24\n", "    length: 24\n    motion: push_in\n")), b"guard", b"jab")[0]

    assert jab.moves == ((5, 19),)


def test_only_a_dip_and_the_night_may_be_black(tmp_path: Path) -> None:
    dipped = duel(
        tmp_path, ("  - id: nod\n", "  - id: nod\n    light: night\n    transition: {kind: dip, frames: 6}\n")
    )

    assert [piece.black for piece in expected(dipped, b"guard", b"jab")] == [False, True, True]

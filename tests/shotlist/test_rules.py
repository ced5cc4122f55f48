"""The rules that hold between the fields of a shot list: who fights where, and what transitions have room for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.shot_lists import duel, problems
from undercard.film.motion.transitions import TRANSITIONS

CLOSE_UP = "{ray: jab}, camera: {name: close_up, subject: sol}}"


def opened_by(transition: str) -> tuple[str, str]:
    return "id: nod\n", f"id: nod\n    transition: {transition}\n"


def test_a_fighter_who_enters_late_is_asked_to_come_at_the_start(tmp_path: Path) -> None:
    found = problems(tmp_path, ("{ray: guard, sol: guard}", "{ray: guard}"), ("ray: jab", "sol: jab"))

    assert [problem.what for problem in found] == ["fighter 'sol' appears in the middle of the shot"]


def test_three_fighters_in_a_shot_are_one_too_many(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        ("shots:", "  ann: {name: Ann, corner: red}\nshots:"),
        ("sol: guard}", "sol: guard, ann: guard}"),
    )

    assert [problem.what for problem in found] == ["3 fighters in one shot"]


def test_a_camera_may_move_to_a_fighter_whose_pose_stays_as_it_was(tmp_path: Path) -> None:
    film = duel(tmp_path, ("{ray: jab}}", CLOSE_UP))

    camera = film.shots[0].keyframes[1].camera
    assert camera is not None
    assert camera.subject == "sol"


def test_a_camera_cannot_move_to_a_fighter_who_never_entered(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, ("{ray: guard, sol: guard}", "{ray: guard}"), ("{ray: jab}}", CLOSE_UP))

    assert (found.where, found.what, found.remedy) == (
        "shots › jab › keyframes[1] › camera › subject",
        "subject 'sol' is not in the shot",
        "use one of ray",
    )


def test_a_dip_may_open_the_film(tmp_path: Path) -> None:
    assert problems(tmp_path, ("id: jab", "id: jab\n    transition: {kind: dip, frames: 12}")) == ()


def test_two_transitions_share_the_shot_between_them(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        ("id: jab", "id: jab\n    transition: {kind: dip, frames: 12}"),
        opened_by("{kind: crossfade, frames: 18}"),
    )

    assert [problem.remedy for problem in found] == ["use at most 17"]


# Of 24 frames each shot keeps one. A crossfade takes as many of both, a dip half of each, a flash three quarters of the
# shot that comes.
@pytest.mark.parametrize(("kind", "longest"), [("crossfade", 23), ("dip", 46), ("flash", 30)])
def test_the_longest_transition_that_an_error_names_is_right(tmp_path: Path, kind: str, longest: int) -> None:
    (found,) = problems(tmp_path, opened_by(f"{{kind: {kind}, frames: 99}}"))

    assert found.what == f"a {kind} of 99 frames exceeds its shots (24 and 24 frames)"
    assert found.remedy == f"use at most {longest}"
    assert problems(tmp_path, opened_by(f"{{kind: {kind}, frames: {longest}}}")) == ()
    assert problems(tmp_path, opened_by(f"{{kind: {kind}, frames: {longest + 1}}}")) != ()


@pytest.mark.parametrize("kind", [name for name, kind in TRANSITIONS.items() if not kind.instant])
def test_a_shot_of_one_frame_has_room_for_no_transition_but_a_cut(tmp_path: Path, kind: str) -> None:
    short = ("id: nod\n    length: 24", f"id: nod\n    transition: {kind}\n    length: 1")

    found = problems(tmp_path, short)

    assert [(problem.what, problem.remedy) for problem in found] == [
        (f"a {kind} of 12 frames exceeds its shots (24 and 1 frames)", "use a cut")
    ]

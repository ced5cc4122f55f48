from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import plan
from tests.fakes.shot_lists import duel
from tests.paths import EXAMPLES
from undercard.domain.staging import Aim, PlacedFighter, Staging
from undercard.previz import cameras, poses
from undercard.shotlist import direction
from undercard.shotlist.load import load_shot_list

FILM = EXAMPLES / "title_fight.yaml"


def on(folder: Path, frame: int, *changes: tuple[str, str]) -> Staging:
    """Return the duel's first shot on *frame*, once changed."""
    film = duel(folder, *changes)
    return direction.staging_at(film, film.shots[0], frame)


def ray(staging: Staging) -> PlacedFighter:
    return next(fighter for fighter in staging.fighters if fighter.name == "ray")


def sol(staging: Staging) -> PlacedFighter:
    return next(fighter for fighter in staging.fighters if fighter.name == "sol")


def test_fighters_stand_in_reach_on_their_own_sides_and_face_each_other(tmp_path: Path) -> None:
    staging = on(tmp_path, 0)

    assert 1.05 <= math.dist(ray(staging).position, sol(staging).position) <= 1.15
    assert ray(staging).position[0] < 0 < sol(staging).position[0]
    assert (ray(staging).facing_degrees, sol(staging).facing_degrees) == (90.0, -90.0)


def test_a_fighter_keeps_corner_stance_and_colours_of_the_cast(tmp_path: Path) -> None:
    fighter = sol(on(tmp_path, 0, ("corner: blue", 'corner: blue, look: {trunks: "#010203"}')))

    assert (fighter.corner, fighter.stance, fighter.look.trunks) == ("blue", "southpaw", "#010203")
    assert fighter.look.gloves == direction.CORNER_LOOK["blue"].gloves


def test_keyframes_come_with_their_frames(tmp_path: Path) -> None:
    film = duel(tmp_path)

    assert [frame for frame, _ in direction.stagings(film, film.shots[0])] == [0, 8]


def test_a_keyframes_frame_shows_the_keyframe_itself(tmp_path: Path) -> None:
    film = duel(tmp_path)

    for frame, staging in direction.stagings(film, film.shots[0]):
        assert direction.staging_at(film, film.shots[0], frame) == staging


def test_after_its_last_keyframe_a_shot_stays(tmp_path: Path) -> None:
    assert on(tmp_path, 23) == on(tmp_path, 8)


@pytest.mark.parametrize("frame", [-1, 24])
def test_a_frame_outside_the_shot_is_refused(tmp_path: Path, frame: int) -> None:
    with pytest.raises(ValueError, match="shot 'jab' has frames 0…23"):
        on(tmp_path, frame)


def test_a_fighter_left_out_of_a_keyframe_stays_as_he_was(tmp_path: Path) -> None:
    moved = on(tmp_path, 8, ("sol: guard}}\n", "sol: {pose: duck, position: [0.7, 0.1], facing: 270}}}\n"))

    assert sol(moved).pose == poses.pose("duck")
    assert sol(moved).position == (0.7, 0.1)
    assert sol(moved).facing_degrees == 270.0


def test_a_cue_without_a_pose_keeps_the_pose_and_its_tuning(tmp_path: Path) -> None:
    tuned = "{pose: duck, tune: {lead_hand: [0, 0.1, 0]}}"
    staging = on(tmp_path, 8, ("ray: guard", f"ray: {tuned}"), ("ray: jab", "ray: {position: [-0.6, 0]}"))

    assert ray(staging).pose == poses.pose("duck", {"lead_hand": (0.0, 0.1, 0.0)})


def test_a_new_pose_does_not_keep_the_tuning_of_the_old(tmp_path: Path) -> None:
    staging = on(tmp_path, 8, ("ray: guard", "ray: {pose: duck, tune: {lead_hand: [0, 0.1, 0]}}"))

    assert ray(staging).pose == poses.pose("jab")


def test_who_faces_a_fighter_turns_with_him(tmp_path: Path) -> None:
    staging = on(tmp_path, 8, ("{ray: jab}", "{ray: jab, sol: {position: [-0.55, 1.0]}}"))

    assert ray(staging).facing_degrees == pytest.approx(0.0)
    assert abs(sol(staging).facing_degrees) == pytest.approx(180.0)


@pytest.mark.parametrize(
    ("cue", "lead", "rear"),
    [
        ("jab", Aim(head=1.0), Aim()),
        ("cross", Aim(), Aim(head=1.0)),
        ("body_jab", Aim(body=1.0), Aim()),
        ("{pose: jab, aim: body}", Aim(body=1.0), Aim()),
        ("{pose: jab, aim: none}", Aim(), Aim()),
        ("guard", Aim(), Aim()),
        ("{pose: jab, position: [-1.2, 0]}", Aim(), Aim()),
        ("{pose: jab, position: [-1.2, 0], aim: head}", Aim(head=1.0), Aim()),
        ("{pose: jab, facing: 0}", Aim(), Aim()),
    ],
)
def test_a_punch_is_aimed_at_an_opponent_in_reach(tmp_path: Path, cue: str, lead: Aim, rear: Aim) -> None:
    fighter = ray(on(tmp_path, 8, ("ray: jab", f"ray: {cue}")))

    assert (fighter.lead_aim, fighter.rear_aim) == (lead, rear)


def test_a_punch_snaps_most_of_the_way_in_half_the_time(tmp_path: Path) -> None:
    assert ray(on(tmp_path, 4)).lead_aim.head == pytest.approx(0.66, abs=0.01)


def test_an_aim_stays_whole_where_settling_goes_too_far(tmp_path: Path) -> None:
    aims = [ray(on(tmp_path, frame, ("ease: snap", "ease: settle"))).lead_aim.head for frame in range(9)]

    assert max(aims) == 1.0
    assert 1.0 in aims[:-1]


@given(ease=st.sampled_from(sorted(direction.EASES)), t=st.floats(0, 1))
def test_every_ease_goes_from_one_keyframe_to_the_next_without_leaving_them_far(ease: str, t: float) -> None:
    function = next(function for name, function in direction.EASES.items() if name == ease)

    assert function(0.0) == pytest.approx(0.0)
    assert function(1.0) == pytest.approx(1.0)
    assert -1e-9 <= function(t) <= 1.06


def test_the_camera_stays_where_it_is_while_fighters_move(tmp_path: Path) -> None:
    change = ("ray: jab", "ray: {position: [-1.5, 0.5]}")

    assert on(tmp_path, 0, change).camera == on(tmp_path, 5, change).camera == on(tmp_path, 20, change).camera


def test_the_camera_moves_between_the_keyframes_that_name_one(tmp_path: Path) -> None:
    first = "{position: [0, 1, 4], target: [0, 1, 0], lens_mm: 30}"
    last = "{position: [0, 1, 2], target: [0, 1, 0], lens_mm: 50, ease: linear}"
    changes = (("length: 24", f"length: 24\n    camera: {first}"), ("at: 8", f"at: 8, camera: {last}"))

    camera = on(tmp_path, 4, *changes).camera

    assert camera.position == pytest.approx((0, 1, 3))
    assert camera.lens_mm == pytest.approx(40)
    assert on(tmp_path, 20, *changes).camera.lens_mm == 50


def test_a_named_camera_takes_lens_aperture_and_roll(tmp_path: Path) -> None:
    entry = "camera: {name: wide, lens_mm: 31, f_number: 2, roll_degrees: 5}\n    length: 24"

    camera = on(tmp_path, 0, ("length: 24", entry)).camera

    assert (camera.lens_mm, camera.f_number, camera.roll_degrees) == (31, 2, 5)


def test_editing_one_shot_leaves_the_stagings_of_the_others(tmp_path: Path) -> None:
    before = duel(tmp_path)
    after = duel(tmp_path, ("ray: jab", "ray: cross"))

    assert direction.stagings(before, before.shots[0]) != direction.stagings(after, after.shots[0])
    assert direction.stagings(before, before.shots[1]) == direction.stagings(after, after.shots[1])


def test_an_in_between_takes_under_a_millisecond() -> None:
    film = load_shot_list(FILM)
    shot = max(film.shots, key=lambda shot: len(shot.keyframes))
    direction.stagings(film, shot)
    took = []
    for frame in range(shot.frames):
        start = time.perf_counter()
        direction.staging_at(film, shot, frame)
        took.append(time.perf_counter() - start)

    # The quickest tenth: the machine may be busy with something else.
    assert sorted(took)[len(took) // 10] < 0.001


def test_every_frame_of_the_title_fight_can_be_staged() -> None:
    film = load_shot_list(FILM)

    for shot in film.shots:
        for frame in range(0, shot.frames, 2):
            assert direction.staging_at(film, shot, shot.timing.moment(frame)).light == shot.light


def test_fighters_of_the_title_fight_stay_inside_the_ropes_and_apart() -> None:
    film = load_shot_list(FILM)

    for shot in film.shots:
        for _, staging in direction.stagings(film, shot):
            spots = [fighter.position for fighter in staging.fighters]
            assert all(abs(edge) <= 2.2 for spot in spots for edge in spot), shot.id
            assert len(spots) < 2 or math.dist(*spots) >= 0.35, shot.id


def test_a_shot_is_staged_once_however_long_the_film_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.yaml"
    path.write_text(plan.shot_list(300), encoding="utf-8")
    film = load_shot_list(path)
    staged = [direction.stagings(film, shot) for shot in film.shots]

    monkeypatch.delattr(cameras, "camera")

    assert [direction.stagings(film, shot) for shot in film.shots] == staged

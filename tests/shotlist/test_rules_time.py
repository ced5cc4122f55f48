from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests import here
from tests.fakes.shot_lists import duel, problems
from undercard.film.base.timing import Freeze, Speed, Timing
from undercard.hardware.devices import Device
from undercard.planning.plan import plan_film
from undercard.shotlist import direction

HERE = Device(cores=1, host_bytes=0)
AGAIN = "  - id: nod\n    length: 24\n    keyframes:\n      - {at: 0, poses: {sol: guard}}\n"


def replay(text: str, length: int = 20) -> tuple[str, str]:
    return AGAIN, f"  - id: again\n    length: {length}\n    {text}\n"


def told(folder: Path, *changes: tuple[str, str]) -> list[tuple[str, str, str]]:
    return [(each.where, each.what, each.remedy) for each in problems(folder, *changes)]


def test_a_length_below_one_frame_is_refused(tmp_path: Path) -> None:
    assert told(tmp_path, ("length: 24", "length: 0.02s")) == [
        ("shots › jab › length", "a length of '0.02s' is no frame at all", "make it 1 frame at least")
    ]


def test_a_keyframe_may_fall_on_the_last_frame_of_its_shot_and_no_later(tmp_path: Path) -> None:
    assert told(tmp_path, ("at: 8", "at: 23")) == []
    assert told(tmp_path, ("at: 8", "at: 24")) == [
        (
            "shots › jab › keyframes[1] › at",
            "frame 24 is beyond the shot, whose last is 23",
            "use at most 23, or a longer shot",
        )
    ]


def test_a_keyframe_can_slow_the_action_and_freeze_it(tmp_path: Path) -> None:
    film = duel(tmp_path, ("{at: 8, ease: snap,", "{at: 8, speed: 0.25, freeze: 6, ease: snap,"))

    assert film.shots[0].timing == Timing(0, (Speed(0, Fraction(1)), Speed(8, Fraction(1, 4))), (Freeze(8, 6),))
    assert film.shots[1].timing == Timing()


def test_a_keyframe_that_slow_motion_never_reaches_is_told(tmp_path: Path) -> None:
    found = told(tmp_path, ("{at: 0, poses: {ray: guard, sol: guard}}", "{at: 0, speed: 0.25, poses: {ray: guard}}"))

    assert found == [
        (
            "shots › jab › keyframes[1] › at",
            "frame 8 is beyond the shot, whose last is 5",
            "use at most 5, or a longer shot",
        )
    ]


def test_a_replay_is_staged_as_the_shot_that_it_shows_again(tmp_path: Path) -> None:
    film = duel(tmp_path, replay("replay: {of: jab, at: 4, speed: 0.5}"))

    jab, again = film.shots
    assert again.timing == Timing(4, (Speed(4, Fraction(1, 2)),))
    for frame in (0, 1, 8, 19):
        moment = again.timing.moment(frame)
        shown = direction.staging_at(film, again, moment)
        if isinstance(moment, int):
            assert shown == direction.staging_at(film, jab, moment)


def test_a_replay_runs_at_half_speed_from_the_start_unless_told(tmp_path: Path) -> None:
    film = duel(tmp_path, replay("replay: jab"))

    assert film.shots[1].timing == Timing(0, (Speed(0, Fraction(1, 2)),))


def test_a_replay_renders_nothing_of_its_own_and_asks_for_what_it_shows(tmp_path: Path) -> None:
    film = duel(tmp_path, replay("replay: jab"))

    whole = plan_film(film, HERE, here.settings(), backend="previz")
    alone = plan_film(film, HERE, here.settings(), backend="previz", shots="again")

    assert [len(whole.keyframes(shot)) for shot in whole.shots] == [2, 0]
    assert [shot.id for shot in whole.filmed] == ["jab"]
    assert [shot.id for shot in alone.filmed] == ["jab"]
    assert [clip.shot for clip in alone.timeline.clips] == ["again"]


@pytest.mark.parametrize(
    ("text", "length", "place", "what", "remedy"),
    [
        ("replay: jap", 20, "replay", "a replay of 'jap', which is no shot with keyframes", "did you mean jab?"),
        (
            "replay: again",
            20,
            "replay",
            "a replay of 'again', which is no shot with keyframes",
            "use one of jab",
        ),
        (
            "replay: {of: jab, at: 10}",
            40,
            "length",
            "40 frames from frame 10 at speed 0.5 go beyond the shot, whose last is 23",
            "use at most 27, or begin earlier",
        ),
        (
            "replay: {of: jab, at: 30}",
            4,
            "replay.at",
            "frame 30 is beyond the shot that it shows again, whose last is 23",
            "use at most 23",
        ),
        (
            "replay: jab\n    camera: low",
            20,
            "camera",
            "a replay has the camera of the shot that it shows again",
            "remove it, or the replay",
        ),
    ],
)
def test_a_replay_of_what_there_is_not_says_what_to_do(
    tmp_path: Path, text: str, length: int, place: str, what: str, remedy: str
) -> None:
    assert told(tmp_path, replay(text, length)) == [(f"shots › again › {place.replace('.', ' › ')}", what, remedy)]


def test_the_longest_replay_that_an_error_names_is_right(tmp_path: Path) -> None:
    assert problems(tmp_path, replay("replay: {of: jab, at: 10}", 27)) == ()
    assert problems(tmp_path, replay("replay: {of: jab, at: 10}", 28)) != ()


def test_a_mistake_in_a_shot_is_not_told_again_of_its_replay(tmp_path: Path) -> None:
    found = problems(tmp_path, ("ray: jab", "ray: jabb"), replay("replay: jab"))

    assert [problem.where.split(" › ")[1] for problem in found] == ["jab"]

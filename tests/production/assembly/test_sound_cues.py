from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests import here
from tests.fakes.shot_lists import changed, duel, problems, write
from tests.film.sound.test_cue_sheet import tone
from tests.paths import EXAMPLES
from undercard.film.sound.cue_sheet import CueSheet
from undercard.hardware.probe import this_device
from undercard.planning.plan import plan_film
from undercard.previz import poses
from undercard.production.assembly import sound_cues
from undercard.shotlist.load import load_shot_list
from undercard.shotlist.models import ShotList

TITLE_FIGHT = EXAMPLES / "title_fight.yaml"


def scored(shot_list: ShotList, shots: str | None = None) -> CueSheet:
    return sound_cues.score(
        plan_film(shot_list, this_device(here.settings()), here.settings(), backend="previz", shots=shots)
    )


def placed(score: CueSheet) -> list[tuple[str, int]]:
    return [(effect.sound, effect.frame) for effect in sorted(score.effects, key=lambda each: each.frame)]


def test_a_punch_is_heard_on_the_frame_it_lands_and_the_bell_before_it(tmp_path: Path) -> None:
    assert placed(scored(duel(tmp_path))) == [("bell", 0), ("thud", 8)]


@pytest.mark.parametrize(
    ("cues", "sound"),
    [
        ("ray: {pose: jab, aim: none}", "whoosh"),
        ("ray: jab, sol: block", "block"),
        ("ray: body_hook, sol: block", "body"),
        ("ray: {pose: jab, aim: body}", "body"),
        ("sol: down", "fall"),
        ("ray: victory", "cheer"),
    ],
)
def test_what_is_heard_follows_from_the_poses(tmp_path: Path, cues: str, sound: str) -> None:
    assert placed(scored(duel(tmp_path, ("poses: {ray: jab}", f"poses: {{{cues}}}"))))[1:] == [(sound, 8)]


def test_a_fist_that_stays_where_it_landed_is_heard_once(tmp_path: Path) -> None:
    again = "      - {at: 8, ease: snap, poses: {ray: jab}}\n      - {at: 10, poses: {sol: hurt}}\n"

    found = placed(scored(duel(tmp_path, ("      - {at: 8, ease: snap, poses: {ray: jab}}\n", again))))

    assert found == [("bell", 0), ("thud", 8)]


def test_the_poses_that_sounds_hang_on_are_in_the_library() -> None:
    named = sound_cues.READY | sound_cues.COVERED | sound_cues.FALLEN | sound_cues.CHEERED

    assert named <= set(poses.names())


def test_a_crossfade_moves_the_sounds_of_what_follows_it(tmp_path: Path) -> None:
    nod = "      - {at: 0, poses: {sol: guard}}\n"
    fade = (
        "  - id: nod\n    length: 24\n",
        "  - id: nod\n    length: 24\n    transition: {kind: crossfade, frames: 6}\n",
    )

    found = placed(scored(duel(tmp_path, fade, (nod, "      - {at: 0, poses: {sol: guard}}\n    sounds: [bell]\n"))))

    assert found == [("thud", 8), ("bell", 18)]


def test_a_list_may_ask_for_silence_or_for_less(tmp_path: Path) -> None:
    assert scored(duel(tmp_path, ("cast:", "sound: null\ncast:"))).silent
    assert scored(duel(tmp_path, ("cast:", "sound: {effects: false, crowd: false}\ncast:"))).silent
    quiet = scored(duel(tmp_path, ("cast:", "sound: {effects_db: -6.0, crowd_db: -3.0}\ncast:")))
    assert {effect.gain_db for effect in quiet.effects} == {-6.0}
    assert quiet.crowd_db == -3.0


def test_music_lasts_as_long_as_the_film_and_makes_way(tmp_path: Path) -> None:
    tone(tmp_path / "theme.wav", 0.2)

    (music,) = scored(duel(tmp_path, ("cast:", "sound: {music: theme.wav, gain_db: -9.0}\ncast:"))).tracks

    assert (music.start, music.stop, music.gain_db) == (0, 48, -9.0)
    assert music.duck_db > 0
    assert music.fade_out > 0


def test_a_track_is_placed_by_its_shot_and_left_out_of_an_excerpt_without_it(tmp_path: Path) -> None:
    tone(tmp_path / "shout.wav", 0.2)
    sound = "sound: {tracks: [{file: shout.wav, shot: nod, start: 4, stop: 0.5s, skip: 2}]}\ncast:"
    shot_list = duel(tmp_path, ("cast:", sound))

    (shout,) = scored(shot_list).tracks

    assert (shout.start, shout.stop) == (28, 36)
    assert shout.skip_seconds == Fraction(2, 24)
    assert scored(shot_list, "nod").tracks[0].start == 4
    assert scored(shot_list, "jab").tracks == ()


def test_another_file_under_the_same_name_is_another_sound(tmp_path: Path) -> None:
    with_music = ("cast:", "sound: {music: theme.wav}\ncast:")
    keys = set()
    for hertz in (440.0, 441.0, 440.0):
        tone(tmp_path / "theme.wav", 0.2, hertz=hertz)
        keys.add(sound_cues.key(scored(duel(tmp_path, with_music))))

    assert len(keys) == 2


def test_a_sound_file_that_cannot_be_played_is_named_with_its_track_and_line(tmp_path: Path) -> None:
    (tmp_path / "hum.mp3").write_bytes(bytes(4000))

    (problem,) = problems(tmp_path, ("cast:", "sound:\n  tracks:\n    - file: hum.mp3\ncast:"))

    assert (problem.line, problem.where) == (4, "sound › tracks[0] › file")
    assert "'hum.mp3' cannot be played" in problem.what


@pytest.mark.parametrize(
    ("sound", "place", "said"),
    [
        ("{tracks: [{file: a.wav, shot: nope}]}", "shot", "no shot 'nope'"),
        ("{tracks: [{file: a.wav, start: 9, stop: 9}]}", "stop", "stops at frame 9 and starts at 9"),
    ],
)
def test_a_track_in_a_place_that_is_none_is_refused(tmp_path: Path, sound: str, place: str, said: str) -> None:
    tone(tmp_path / "a.wav", 0.2)

    (problem,) = problems(tmp_path, ("cast:", f"sound: {sound}\ncast:"))

    assert problem.where == f"sound › tracks[0] › {place}"
    assert said in problem.what


def test_a_sound_beyond_its_shot_and_one_that_does_not_exist_are_refused(tmp_path: Path) -> None:
    write(tmp_path, changed())
    late = problems(tmp_path, ("    length: 24\n", "    length: 24\n    sounds: [{at: 24, sound: bell}]\n"))
    unknown = problems(tmp_path, ("    length: 24\n", "    length: 24\n    sounds: [bel]\n"))

    assert "frame 24 is beyond the shot" in late[0].what
    assert "did you mean bell?" in unknown[0].remedy


def test_the_title_fight_is_heard_where_it_is_seen() -> None:
    shot_list = load_shot_list(TITLE_FIGHT)
    plan = plan_film(shot_list, this_device(here.settings()), here.settings(), backend="previz")
    starts = plan.timeline.starts()
    found = placed(sound_cues.score(plan))

    for sound, shot, frame in (
        ("bell", "bell-one", 0),
        ("thud", "feeling-out", 28),
        ("body", "exchange", 22),
        ("block", "answer", 32),
        ("fall", "knockdown", 24),
        ("bell", "last-bell", 18),
        ("cheer", "victory", 16),
    ):
        assert (sound, starts[shot] + frame) in found


def test_a_replay_is_heard_where_its_slow_punch_lands_and_softer(tmp_path: Path) -> None:
    replay = "  - id: again\n    length: 30\n    replay: {of: jab, at: 2, speed: 0.5}\n  - id: nod\n"

    score = scored(duel(tmp_path, ("  - id: nod\n", replay)))

    # Six frames of the action after its start, at half speed.
    assert placed(score) == [("bell", 0), ("thud", 8), ("thud", 24 + 12)]
    assert score.effects[1].gain_db < 0


def test_a_freeze_holds_up_what_is_heard_after_it(tmp_path: Path) -> None:
    frozen = "      - {at: 0, freeze: 5, poses: {ray: guard, sol: guard}}\n"

    found = placed(scored(duel(tmp_path, ("      - {at: 0, poses: {ray: guard, sol: guard}}\n", frozen))))

    assert found == [("bell", 0), ("thud", 13)]

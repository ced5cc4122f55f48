from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.film.footage import SIZE, numbered
from undercard.errors import BadInput, UnreadableSound
from undercard.film.encoding.segments import encode, join
from undercard.film.sound import loudness, synthesis
from undercard.film.sound.cue_sheet import BLOCK, CueSheet, Effect, Track, mix
from undercard.film.sound.sound_file import check_playable
from undercard.film.sound.synthesis import RATE, SOUNDS, Wave, crowd

FPS = Fraction(24)
NTSC = Fraction(24000, 1001)


def heard(score: CueSheet) -> Wave:
    return np.concatenate(list(mix(score)))


def tone(path: Path, seconds: float, level: float = 0.5, rate: int = 44_100, hertz: float = 440.0) -> Path:
    """Write a mono sine as WAV."""
    samples = level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def track(path: Path, start: int, stop: int, **options: object) -> Track:
    return Track(path, "0" * 64, start, stop, **options)  # type: ignore[arg-type]


def level_db(part: Wave) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(part, dtype=np.float64))) + 1e-12))


def onset(sound: Wave, start: int, stop: int) -> int:
    """The loudest sample between two, as after a hit."""
    return start + int(np.abs(sound[start:stop]).max(axis=1).argmax())


@pytest.mark.parametrize("name", SOUNDS)
def test_every_sound_begins_and_ends_at_rest_and_never_overloads(name: str) -> None:
    made = [synthesis.wave(name, variant) for variant in range(synthesis.VARIANTS)]

    for each in made:
        assert each.dtype == np.float32
        assert 0.1 < np.abs(each).max() <= 1.0
        assert np.abs(each[[0, -1]]).max() < 0.01
    assert not np.array_equal(made[0], made[1])


def test_the_same_sound_is_made_of_the_same_samples_each_time() -> None:
    first = synthesis.wave("thud", 3).copy()
    synthesis.wave.cache_clear()

    assert np.array_equal(synthesis.wave("thud", 3), first)


def test_the_crowd_goes_on_from_its_end_to_its_beginning() -> None:
    loop = crowd()
    steps = np.abs(np.diff(loop, axis=0))

    assert np.all(np.abs(loop[0] - loop[-1]) <= steps.max(axis=0))


@pytest.mark.parametrize("fps", [FPS, NTSC, Fraction(25), Fraction(30000, 1001)])
@pytest.mark.parametrize("name", ["thud", "body", "block", "bell", "fall"])
def test_a_hit_is_loudest_within_a_frame_of_the_frame_it_falls_on(fps: Fraction, name: str) -> None:
    frame = 2_000
    score = CueSheet(fps, frame + 60, (Effect(name, frame),))
    sound = heard(score)
    # The bell swells as its partials beat; where it begins is what the eye compares.
    first = int(np.flatnonzero(np.abs(sound).max(axis=1) > 0.1)[0])

    assert 0 <= first - score.sample(frame) < RATE / fps
    assert abs(onset(sound, 0, len(sound)) - score.sample(frame)) < 4 * RATE / fps


def test_a_punch_at_the_air_is_loudest_on_its_frame() -> None:
    score = CueSheet(FPS, 60, (Effect("whoosh", 30),))

    assert abs(onset(heard(score), 0, 60 * 2000) - score.sample(30)) < RATE / FPS


def test_no_frame_drifts_from_its_sample_in_two_hours() -> None:
    score = CueSheet(NTSC, 172_800)

    # 24000/1001 fps gives a frame exactly 2002 samples.
    assert [score.sample(frame) for frame in (1, 1000, 172_800)] == [2002, 2_002_000, 345_945_600]


def test_blocks_join_without_a_seam() -> None:
    score = CueSheet(FPS, 3 * BLOCK * 24 // RATE, tuple(Effect("cheer", frame) for frame in (90, 180)), (), 0.0)
    sound = heard(score)

    assert [len(block) for block in mix(score)] == [BLOCK] * 3
    for seam in (BLOCK, 2 * BLOCK):
        assert np.abs(sound[seam] - sound[seam - 1]).max() <= np.abs(np.diff(sound, axis=0)).max()
    # The same effects, mixed alone, are found again on either side of the seam.
    alone = heard(CueSheet(FPS, score.frame_count, score.effects))
    assert np.abs(alone[BLOCK - 100 : BLOCK + 100]).max() > 0.01


def test_the_crowd_rises_after_a_punch() -> None:
    calm = heard(CueSheet(FPS, 240, (), (), 0.0))
    roused = heard(CueSheet(FPS, 240, (Effect("fall", 96),), (), 0.0))
    after = slice(int(5.2 * RATE), int(5.6 * RATE))

    assert level_db(roused[after]) - level_db(calm[after]) > 3.0


def test_a_track_plays_between_its_frames_at_its_gain_with_its_fades(tmp_path: Path) -> None:
    file = tone(tmp_path / "a.wav", 10.0)
    sound = heard(CueSheet(FPS, 240, (), (track(file, 48, 192, gain_db=-6.0, fade_in=24, fade_out=48),)))

    assert not sound[: 48 * 2000].any()
    assert not sound[192 * 2000 :].any()
    middle = level_db(sound[96 * 2000 : 120 * 2000])
    # A sine of 0.5 is -9.03 dB; mono in each of two channels is 3.01 lower, so that its power stays.
    assert middle == pytest.approx(-18.04, abs=0.1)
    assert level_db(sound[58 * 2000 : 62 * 2000]) == pytest.approx(middle - 6.0, abs=0.3)
    assert level_db(sound[166 * 2000 : 170 * 2000]) == pytest.approx(middle - 6.0, abs=0.3)


def test_a_track_makes_way_for_an_effect_and_comes_back(tmp_path: Path) -> None:
    file = tone(tmp_path / "a.wav", 10.0)
    effects = (Effect("whoosh", 120, -60.0),)
    sound = heard(CueSheet(FPS, 240, effects, (track(file, 0, 240, duck_db=12.0),)))
    before, during, after = (level_db(sound[at * 2000 : (at + 2) * 2000]) for at in (90, 121, 160))

    assert during == pytest.approx(before - 12.0, abs=0.2)
    assert after == pytest.approx(before, abs=0.2)


def test_a_track_can_skip_its_beginning_and_begin_again(tmp_path: Path) -> None:
    file = tone(tmp_path / "a.wav", 1.0)
    once = heard(CueSheet(FPS, 96, (), (track(file, 0, 96, skip_seconds=Fraction(1, 2)),)))
    again = heard(CueSheet(FPS, 96, (), (track(file, 0, 96, skip_seconds=Fraction(1, 2), loop=True),)))

    assert level_db(once[: RATE // 4]) == pytest.approx(-12.04, abs=0.1)
    assert not once[int(0.52 * RATE) :].any()
    assert level_db(again[3 * RATE :]) == pytest.approx(-12.04, abs=0.2)


def test_a_sound_file_that_cannot_be_played_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.mp3").write_bytes(b"\x00" * 5000)
    (tmp_path / "text.wav").write_text("no sound")
    tone(tmp_path / "empty.wav", 0.0)
    encode(numbered(0, 2), tmp_path / "silent.mp4", SIZE, FPS, 2)

    for name in ("broken.mp3", "text.wav", "empty.wav", "silent.mp4", "gone.ogg"):
        with pytest.raises(UnreadableSound, match=name.replace(".", r"\.")):
            check_playable(tmp_path / name)


def test_an_effect_outside_the_film_and_an_unknown_sound_are_refused() -> None:
    with pytest.raises(BadInput, match=r"sound 'thud' on frame 24: the film has frames 0…23"):
        CueSheet(FPS, 24, (Effect("thud", 24),))
    with pytest.raises(BadInput, match="sound 'gong' does not exist; use one of bell"):
        CueSheet(FPS, 24, (Effect("gong", 2),))


@pytest.fixture(scope="module")
def levelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[CueSheet, Path, loudness.Loudness]:
    folder = tmp_path_factory.mktemp("it's, a [test]: 100%")
    effects = (Effect("bell", 12), Effect("thud", 60), Effect("body", 80), Effect("fall", 95))
    score = CueSheet(NTSC, 143, effects, (track(tone(folder / "music.wav", 4.0), 0, 140, duck_db=9.0),), 0.0)
    return score, folder / "sound.m4a", loudness.write(score, folder / "sound.m4a")


def test_a_mix_is_brought_to_the_loudness_and_below_the_peak_that_players_expect(
    levelled: tuple[CueSheet, Path, loudness.Loudness],
) -> None:
    _, path, found = levelled

    assert loudness.measure(path) == found
    assert found.lufs == pytest.approx(loudness.TARGET_LUFS, abs=0.5)
    assert found.true_peak_dbtp <= loudness.CEILING_DBTP


def test_the_same_score_gives_the_same_bytes(levelled: tuple[CueSheet, Path, loudness.Loudness]) -> None:
    score, path, _ = levelled
    loudness.write(score, path.with_name("again.m4a"))

    assert path.with_name("again.m4a").read_bytes() == path.read_bytes()


def test_sound_and_picture_end_together_to_the_sample(levelled: tuple[CueSheet, Path, loudness.Loudness]) -> None:
    score, path, _ = levelled
    segment = path.with_name("segment.mp4")
    encode(numbered(0, 143), segment, SIZE, NTSC, 143)

    join([segment], path.with_name("film.mp4"), path)

    with av.open(str(path.with_name("film.mp4"))) as film:
        picture, sound = film.streams.video[0], film.streams.audio[0]
        assert picture.duration is not None
        assert sound.duration is not None
        assert picture.time_base is not None
        assert sound.time_base is not None
        assert sound.duration * sound.time_base == picture.duration * picture.time_base == score.frame_count / NTSC
        assert (picture.start_time, sound.start_time) == (0, 0)


def test_silence_stays_silent(tmp_path: Path) -> None:
    found = loudness.write(CueSheet(FPS, 48), tmp_path / "sound.m4a")

    assert not found.audible
    assert found.true_peak_dbtp < -60


def test_a_film_too_short_to_be_measured_keeps_its_level_below_the_peak(tmp_path: Path) -> None:
    found = loudness.write(CueSheet(FPS, 5, (Effect("thud", 0, 12.0),)), tmp_path / "sound.m4a")

    assert not found.audible
    assert found.true_peak_dbtp <= loudness.CEILING_DBTP

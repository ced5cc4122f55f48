from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from tests.film.footage import SIZE, decoded, grey, level, numbered
from undercard.errors import BadFilm
from undercard.film.base.pixels import Pixels
from undercard.film.checking.qc import FilmReport, check, check_joined, check_loudness
from undercard.film.encoding.segments import encode, join, piece_frames
from undercard.film.sound import loudness
from undercard.film.sound.cue_sheet import CueSheet, Effect
from undercard.film.timeline.timeline import Clip, Span, Timeline, Transition

FPS = Fraction(24000, 1001)
TIMELINE = Timeline(
    FPS,
    SIZE,
    (
        Clip("a", 12, "hold", Transition("dip", 6)),
        Clip("b", 10, "hold"),
        Clip("c", 20, "hold", Transition("crossfade", 5)),
        Clip("d", 9, "hold", Transition("dip", 4)),
    ),
)
LEVELS = {"a": 60, "b": 90, "c": 150, "d": 210}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")

    def shoot(span: Span) -> list[Pixels]:
        return [grey(LEVELS[span.clip.shot])] * span.frame_count

    segments = []
    for index, piece in enumerate(TIMELINE.pieces()):
        segments.append(folder / f"{index}.mp4")
        encode(piece_frames(piece, shoot), segments[-1], SIZE, FPS, piece.frame_count)
    join(segments, folder / "film.mp4")
    return folder / "film.mp4"


def remade(film: Path, *options: str) -> Path:
    """Return a copy of *film* that ffmpeg made with *options*."""
    path = film.with_name("remade.mp4")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", str(film), *options, str(path)]
    subprocess.run(command, check=True)
    return path


def test_a_film_made_from_its_timeline_passes_and_its_facts_are_reported(film: Path) -> None:
    assert check(film, TIMELINE) == FilmReport(
        frames=46,
        seconds="23023/12000",
        fps="24000/1001",
        size=SIZE,
        codec="h264",
        pixel_format="yuv420p",
        size_bytes=film.stat().st_size,
    )


def test_every_shot_shows_where_the_timeline_says(film: Path) -> None:
    shown = [level(frame) for frame in decoded(film)]

    assert shown[:3] == pytest.approx([0, 20, 40], abs=2)
    middles = {"a": 8, "b": TIMELINE.starts()["b"] + 2, "c": TIMELINE.starts()["c"] + 10, "d": 44}
    assert {shot: shown[at] for shot, at in middles.items()} == pytest.approx(LEVELS, abs=2)
    # Five frames from 90 to 150, the third halfway.
    assert shown[TIMELINE.starts()["c"] + 2] == pytest.approx(120, abs=2)
    assert shown[TIMELINE.starts()["d"]] == pytest.approx(0, abs=2)


def test_a_film_with_a_frame_too_few_is_refused(film: Path) -> None:
    longer = Timeline(FPS, SIZE, (*TIMELINE.clips, Clip("e", 1, "hold")))

    with pytest.raises(BadFilm, match="number of frames is 46, not 47"):
        check(film, longer)


def test_a_film_of_another_size_is_refused(film: Path) -> None:
    with pytest.raises(BadFilm, match=r"frame 0: size is \(64, 48\), not \(128, 96\)"):
        check(film, Timeline(FPS, (128, 96), TIMELINE.clips))


def test_a_film_of_another_speed_is_refused(film: Path) -> None:
    with pytest.raises(BadFilm, match="frames a second is 24000/1001, not 24"):
        check(film, Timeline(Fraction(24), SIZE, TIMELINE.clips))


def test_a_film_whose_frames_leave_the_grid_is_refused(film: Path) -> None:
    late = remade(film, "-c", "copy", "-movflags", "+faststart", "-bsf:v", "setts=pts=PTS+if(eq(N\\,20)\\,7\\,0)")

    with pytest.raises(BadFilm, match=r"frame \d+: time in seconds is"):
        check(late, TIMELINE)


def test_a_film_without_colour_tags_is_refused(film: Path) -> None:
    untagged = remade(film, "-c", "copy", "-movflags", "+faststart", "-bsf:v", "h264_metadata=matrix_coefficients=2")

    with pytest.raises(BadFilm, match=r"colour matrix is \d, not 1"):
        check(untagged, TIMELINE)


def test_a_film_in_another_pixel_format_is_refused(film: Path) -> None:
    wide = remade(film, "-movflags", "+faststart", "-pix_fmt", "yuv444p")

    with pytest.raises(BadFilm, match="frame 0: pixel format is yuv444p, not yuv420p"):
        check(wide, TIMELINE)


def test_a_film_that_cannot_play_while_it_loads_is_refused(film: Path) -> None:
    with pytest.raises(BadFilm, match=r"moov \(the index\) must come before mdat"):
        check(remade(film, "-c", "copy"), TIMELINE)


def test_a_film_with_damage_that_players_paint_over_is_refused(tmp_path: Path) -> None:
    y, x = np.mgrid[0:48, 0:64]
    moving = [np.stack([x * 3 + n * 5, y * 5 + n * 3, x * y // 9], axis=2).astype(np.uint8) for n in range(24)]
    encode(moving, tmp_path / "a.mp4", SIZE, FPS, 24)
    join([tmp_path / "a.mp4"], tmp_path / "film.mp4")
    content = bytearray((tmp_path / "film.mp4").read_bytes())
    pictures = content.index(b"mdat")
    third = pictures + (len(content) - pictures) * 3 // 10
    content[third : third + 40] = b"\xff" * 40
    (tmp_path / "film.mp4").write_bytes(content)

    assert len(decoded(tmp_path / "film.mp4")) == 24
    with pytest.raises(BadFilm, match=r"film\.mp4 cannot be decoded"):
        check(tmp_path / "film.mp4", Timeline(FPS, SIZE, (Clip("a", 24, "hold"),)))


@pytest.mark.parametrize("kept", [0, 4, 100, 3000])
def test_a_film_that_is_cut_short_is_refused(film: Path, kept: int) -> None:
    short = film.with_name("short.mp4")
    short.write_bytes(film.read_bytes()[:kept])

    with pytest.raises(BadFilm, match=r"short\.mp4"):
        check(short, TIMELINE)


def test_a_film_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFilm, match=r"gone\.mp4"):
        check(tmp_path / "gone.mp4", TIMELINE)


def test_a_single_frame_is_a_film(tmp_path: Path) -> None:
    encode(numbered(0, 1), tmp_path / "a.mp4", SIZE, FPS, 1)
    join([tmp_path / "a.mp4"], tmp_path / "film.mp4")

    assert check(tmp_path / "film.mp4", Timeline(FPS, SIZE, (Clip("a", 1, "hold"),))).frames == 1


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path], Path, Timeline]:
    """A film with sound, its segments, its sound and its timeline."""
    folder = tmp_path_factory.mktemp("joined")
    noise = np.random.default_rng(5)
    segments = [folder / f"{index}.mp4" for index in range(3)]
    for segment in segments:
        encode([noise.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(30)], segment, SIZE, FPS, 30)
    loudness.write(CueSheet(FPS, 90, (Effect("thud", 40),), (), 0.0), folder / "sound.m4a")
    join(segments, folder / "film.mp4", folder / "sound.m4a")
    timeline = Timeline(FPS, SIZE, tuple(Clip(name, 30, "hold") for name in "abc"))
    return folder / "film.mp4", segments, folder / "sound.m4a", timeline


def test_a_joined_film_holds_the_pictures_of_its_segments_and_its_sound(
    joined: tuple[Path, list[Path], Path, Timeline],
) -> None:
    film, segments, sound, timeline = joined

    assert check_joined(film, timeline, segments, sound) == check(film, timeline)


def test_a_joined_film_with_its_segments_in_another_order_is_refused(
    joined: tuple[Path, list[Path], Path, Timeline],
) -> None:
    film, segments, sound, timeline = joined

    with pytest.raises(BadFilm, match=r"picture 30, in coded order, is not that of its segment"):
        check_joined(film, timeline, [segments[0], segments[2], segments[1]], sound)


def test_a_joined_film_with_one_changed_byte_of_picture_is_refused(
    joined: tuple[Path, list[Path], Path, Timeline], tmp_path: Path
) -> None:
    film, segments, sound, timeline = joined
    content = bytearray(film.read_bytes())
    content[content.index(b"mdat") + 40_000] ^= 1
    (tmp_path / "film.mp4").write_bytes(content)

    with pytest.raises(BadFilm, match="is not that of its segment"):
        check_joined(tmp_path / "film.mp4", timeline, segments, sound)


def test_a_film_that_lost_its_sound_or_part_of_it_is_refused(
    joined: tuple[Path, list[Path], Path, Timeline], tmp_path: Path
) -> None:
    _, segments, sound, timeline = joined
    join(segments, tmp_path / "mute.mp4")
    loudness.write(CueSheet(FPS, 89, (Effect("thud", 40),), (), 0.0), tmp_path / "short.m4a")
    join(segments, tmp_path / "short.mp4", tmp_path / "short.m4a")

    with pytest.raises(BadFilm, match="sound is 0, not 1"):
        check_joined(tmp_path / "mute.mp4", timeline, segments, sound)
    # A frame at 24000/1001 is 2002 samples long.
    with pytest.raises(BadFilm, match="samples of sound is 178178, not 180180"):
        check_joined(tmp_path / "short.mp4", timeline, segments, sound)
    with pytest.raises(BadFilm, match="samples of sound is 178178, not 180180"):
        check(tmp_path / "short.mp4", timeline)


def test_a_sound_that_is_too_loud_or_too_quiet_is_refused() -> None:
    check_loudness("sound", loudness.Loudness(-16.4, -1.5), Fraction(10))
    check_loudness("sound", loudness.Loudness(-40.0, -9.0), Fraction(1))
    with pytest.raises(BadFilm, match=r"a loudness of -18\.2 LUFS, not -16"):
        check_loudness("sound", loudness.Loudness(-18.2, -3.0), Fraction(10))
    with pytest.raises(BadFilm, match=r"peaks of -0\.4 dBTP, above -1\.5"):
        check_loudness("sound", loudness.Loudness(-16.0, -0.4), Fraction(10))

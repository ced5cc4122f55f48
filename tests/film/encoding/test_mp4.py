from __future__ import annotations

import io
import random
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import pytest

from tests.film.footage import SIZE, decoded, numbered
from undercard.errors import BadFilm
from undercard.film.encoding import mp4
from undercard.film.encoding.segments import encode, join
from undercard.film.encoding.track import Track, joined
from undercard.film.sound import loudness
from undercard.film.sound.cue_sheet import CueSheet, Effect

FPS = Fraction(24000, 1001)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with sound, in which pictures lie between samples of it."""
    folder = tmp_path_factory.mktemp("mp4")
    # It slides, so that x264 lets B-frames lean on B-frames.
    wide = np.random.default_rng(3).integers(0, 256, (48, 160, 3), np.uint8)
    encode((wide[:, frame : frame + 64] for frame in range(90)), folder / "a.mp4", SIZE, FPS, 90)
    loudness.write(CueSheet(FPS, 90, (Effect("thud", 40),), (), 0.0), folder / "sound.m4a")
    join([folder / "a.mp4"], folder / "film.mp4", folder / "sound.m4a")
    return folder / "film.mp4"


def written_by_ffmpeg(path: Path, *options: str) -> Path:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=2"]
    subprocess.run([*command, "-pix_fmt", "yuv420p", *options, str(path)], check=True)
    return path


def remembered(track: Track) -> list[tuple[Fraction, int, bool]]:
    return list(zip(map(Fraction, track.frames.tolist()), track.lengths.tolist(), track.keys.tolist(), strict=True))


@pytest.mark.parametrize("options", [("-bf", "3"), ("-bf", "0"), ("-c:v", "mpeg4", "-g", "7"), ("-g", "1")])
def test_a_track_is_read_as_a_library_reads_it(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = written_by_ffmpeg(tmp_path / "a.mp4", *options)

    track = mp4.read(path)

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        packets = [packet for packet in container.demux(stream) if packet.pts is not None]
        shown = [(packet.pts or 0) * stream.time_base * 25 for packet in packets]
    assert remembered(track) == [
        (frame, packet.size, packet.is_keyframe) for frame, packet in zip(shown, packets, strict=True)
    ]
    assert b"".join(track.blocks()) == b"".join(bytes(packet) for packet in packets)
    assert (track.size, Fraction(track.ticks, track.clock)) == ((64, 48), Fraction(1, 25))


def test_pictures_that_lie_between_sound_are_found(film: Path) -> None:
    track = mp4.read(film)

    assert len(track.content) > 1
    with av.open(str(film)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.pts is not None]
    assert b"".join(track.blocks()) == b"".join(packets)


def test_what_is_written_is_read_back_and_plays(film: Path, tmp_path: Path) -> None:
    track = mp4.read(film)

    with (tmp_path / "b.mp4").open("wb") as file:
        mp4.write(track, file)

    again = mp4.read(tmp_path / "b.mp4")
    assert remembered(again) == remembered(track)
    assert (again.description, again.size, again.clock, again.ticks) == (
        track.description,
        track.size,
        track.clock,
        track.ticks,
    )
    assert all((a == b).all() for a, b in zip(decoded(film), decoded(tmp_path / "b.mp4"), strict=True))


def test_tracks_are_joined_in_order(film: Path) -> None:
    track = mp4.read(film)

    both = joined([track, track])

    assert both.frames.tolist() == [*track.frames, *(track.frames + 90)]
    assert b"".join(both.blocks()) == 2 * b"".join(track.blocks())


def test_a_file_that_becomes_shorter_while_it_is_copied_is_named(tmp_path: Path) -> None:
    encode(numbered(0, 9), tmp_path / "a.mp4", SIZE, FPS, 9)
    track = mp4.read(tmp_path / "a.mp4")
    with (tmp_path / "a.mp4").open("r+b") as file:
        file.truncate(1500)

    with pytest.raises(BadFilm, match=r"a\.mp4 is cut short"):
        mp4.write(track, io.BytesIO())


def test_frames_of_two_lengths_are_refused(tmp_path: Path) -> None:
    path = written_by_ffmpeg(tmp_path / "a.mp4", "-vf", "select='not(eq(n,20))'", "-fps_mode", "vfr")

    with pytest.raises(BadFilm, match=r"its frames are of 2 lengths"):
        mp4.read(path)


def test_a_file_without_pictures_is_refused(tmp_path: Path) -> None:
    loudness.write(CueSheet(FPS, 30, (Effect("thud", 4),), (), 0.0), tmp_path / "sound.m4a")
    (tmp_path / "text.mp4").write_bytes(b"not a film")
    (tmp_path / "nothing.mp4").touch()

    for name in ("sound.m4a", "nothing.mp4", "text.mp4", "gone.mp4"):
        with pytest.raises(BadFilm, match=name):
            mp4.read(tmp_path / name)


def test_pictures_of_another_codec_have_no_parameter_sets(tmp_path: Path) -> None:
    track = mp4.read(written_by_ffmpeg(tmp_path / "a.mp4", "-c:v", "mpeg4"))

    with pytest.raises(BadFilm, match=r"not H\.264"):
        _ = track.configuration


def test_an_index_with_any_damage_is_read_or_refused(tmp_path: Path) -> None:
    encode(numbered(0, 30), tmp_path / "a.mp4", SIZE, FPS, 30)
    content = (tmp_path / "a.mp4").read_bytes()
    index = content.index(b"mdat")
    dice = random.Random(4)
    refused = 0
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(index)] = dice.choice((0, 1, 255, dice.randrange(256)))
        (tmp_path / "b.mp4").write_bytes(damaged)
        try:
            mp4.read(tmp_path / "b.mp4")
        except BadFilm:
            refused += 1

    assert 50 < refused < 400


def test_what_is_decoded_ahead_of_its_turn_is_known_to_show_later(film: Path) -> None:
    track = mp4.read(film)

    assert (np.arange(90) - track.frames).max() == 2
    assert sorted(track.frames) == list(range(90))


def test_frames_that_do_not_begin_at_once_are_refused(film: Path, tmp_path: Path) -> None:
    track = mp4.read(film)
    with (tmp_path / "late.mp4").open("wb") as file:
        mp4.write(replace(track, frames=track.frames + 1), file)

    with pytest.raises(BadFilm, match="do not lie on a grid"):
        mp4.read(tmp_path / "late.mp4")


def test_a_film_is_opened_once_however_many_places_its_pictures_lie_in(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = mp4.read(film)
    opened: list[Path] = []
    opener = Path.open

    def noted(path: Path, *arguments: Any, **options: Any) -> Any:
        opened.append(path)
        return opener(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", noted)

    assert sum(map(len, track.blocks())) == track.lengths.sum()
    assert opened == [film]

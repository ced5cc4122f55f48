from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import opentimelineio as otio
import pytest
from typer.testing import CliRunner

from tests.film.footage import SIZE, decoded, level, numbered
from undercard import settings, store
from undercard.cli.app import app
from undercard.errors import BadInput
from undercard.film.encoding.segments import encode, join
from undercard.film.interchange import editors
from undercard.film.sound import loudness
from undercard.film.sound.cue_sheet import Effect, Score
from undercard.film.timeline.timeline import Clip, Timeline
from undercard.production.assembly import recut

FPS = Fraction(24000, 1001)
Change: TypeAlias = Callable[[otio.schema.Track], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A film of three pieces with its timeline; frame n of it is grey of level n + 20."""
    pieces = []
    for number in range(3):
        with store.scratch(".mp4") as path:
            encode(numbered(30 * number, 30 * number + 30), path, SIZE, FPS, 30)
            pieces.append(store.put_file(path))
    timeline = Timeline(FPS, SIZE, tuple(Clip(name, 30, "hold") for name in ("one", "two", "three")))
    score = Score(FPS, 90, (Effect("thud", 10), Effect("body", 45)))
    loudness.write(score, tmp_path / "sound.m4a")
    join([piece.absolute for piece in pieces], tmp_path / "film.mp4", tmp_path / "sound.m4a")
    shown = editors.cuts(timeline, [piece.sha256 for piece in pieces])
    edit = editors.timeline_of("Test", FPS, shown, "film.mp4", score)
    editors.write(edit, tmp_path, SIZE)
    editors.write_bundle(edit, tmp_path / "timeline.otioz", tmp_path / "film.mp4")
    return tmp_path


def edited(folder: Path, change: Change) -> Path:
    timeline = otio.adapters.read_from_file(str(folder / "timeline.otio"))
    change(timeline.video_tracks()[0])
    otio.adapters.write_to_file(timeline, str(folder / "edited.otio"))
    return folder / "edited.otio"


def trim(clip: otio.schema.Clip, start: int, frames: int) -> None:
    rate = clip.source_range.duration.rate
    clip.source_range = otio.opentime.TimeRange(
        otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(frames, rate)
    )


def numbers(path: Path) -> list[int]:
    return [level(frame) - 20 for frame in decoded(path)]


def test_a_timeline_that_nobody_edited_gives_the_same_pictures_and_sound(folder: Path) -> None:
    report = recut.cut(folder / "timeline.otio", folder / "recut.mp4")

    assert report.frames == 90
    assert (folder / "recut.mp4").read_bytes() == (folder / "film.mp4").read_bytes()


def test_a_bundle_can_be_cut_like_its_timeline(folder: Path) -> None:
    recut.cut(folder / "timeline.otioz", folder / "recut.mp4")

    assert (folder / "recut.mp4").read_bytes() == (folder / "film.mp4").read_bytes()


def test_clips_can_be_reordered_trimmed_left_out_and_repeated(folder: Path) -> None:
    def change(track: otio.schema.Track) -> None:
        two, three = track[1].deepcopy(), track[2].deepcopy()
        trim(two, 40, 12)
        track[:] = [three, two, three.deepcopy()]

    path = edited(folder, change)

    assert recut.cut(path, folder / "recut.mp4").frames == 72
    wanted = [*range(60, 90), *range(40, 52), *range(60, 90)]
    assert numbers(folder / "recut.mp4") == pytest.approx(wanted, abs=2)


def test_sounds_stay_with_their_pictures(folder: Path) -> None:
    def change(track: otio.schema.Track) -> None:
        one, two = track[0].deepcopy(), track[1].deepcopy()
        trim(two, 40, 20)
        trim(one, 12, 18)
        track[:] = [two, one]

    path = edited(folder, change)
    recut.cut(path, folder / "recut.mp4")

    written = otio.adapters.read_from_file(str(path))
    score = recut._edit(written, folder).score
    # The blow was on frame 45 of the film; the thud on frame 10 was cut out with its picture.
    assert score.effects == (Effect("body", 5),)
    with av.open(str(folder / "recut.mp4")) as film:
        assert film.streams.audio[0].duration == 38 * 2002


def test_a_trimmed_piece_is_cut_from_the_film_when_the_store_was_emptied(folder: Path) -> None:
    for piece in settings.load().store_root.glob("objects/*/*.mp4"):
        piece.unlink()

    recut.cut(folder / "timeline.otio", folder / "recut.mp4")

    assert numbers(folder / "recut.mp4") == pytest.approx(range(90), abs=2)


def gap(track: otio.schema.Track) -> None:
    track.insert(1, otio.schema.Gap(duration=otio.opentime.RationalTime(5, float(FPS))))


def slowed(track: otio.schema.Track) -> None:
    track[0].effects.append(otio.schema.LinearTimeWarp(name="slow", time_scalar=0.5))


def unlinked(track: otio.schema.Track) -> None:
    track[0].media_reference.target_url = "gone.mp4"


def beyond(track: otio.schema.Track) -> None:
    trim(track[2], 80, 30)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (gap, "Gap '' after clip 'one'"),
        (slowed, "clip 'one' has the effect 'slow'"),
        (unlinked, "clip 'one': its media 'gone.mp4' is not there"),
        (beyond, "clip 'three': frames 80…109, but its media has 0…89"),
    ],
)
def test_what_cannot_be_cut_is_named_and_the_old_film_stays(folder: Path, change: Change, message: str) -> None:
    (folder / "recut.mp4").write_bytes(b"old")

    with pytest.raises(BadInput, match=message):
        recut.cut(edited(folder, change), folder / "recut.mp4")

    assert (folder / "recut.mp4").read_bytes() == b"old"


def test_a_file_that_is_no_timeline_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.otio").write_text("{")
    (tmp_path / "b.otioz").write_bytes(b"no zip")

    for name in ("a.otio", "b.otioz", "gone.otio"):
        with pytest.raises(BadInput, match="no timeline that can be read"):
            recut.cut(tmp_path / name, tmp_path / "recut.mp4")


def test_the_command_line_cuts_beside_the_timeline(folder: Path) -> None:
    answer = CliRunner().invoke(app, ["cut", str(folder / "timeline.otio")])

    assert answer.exit_code == 0, answer.output
    assert "90 frames" in answer.output
    assert (folder / "recut.mp4").is_file()

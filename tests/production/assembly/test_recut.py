from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import opentimelineio as otio
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as checks
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests import here
from tests.film.footage import SIZE, decoded, level, numbered
from undercard import settings, store
from undercard.cli.app import app
from undercard.errors import BadInput, UndercardError
from undercard.film.encoding.segments import encode, join
from undercard.film.interchange import editors
from undercard.film.sound import loudness
from undercard.film.sound.cue_sheet import CueSheet, Effect
from undercard.film.timeline.timeline import Clip, Timeline
from undercard.production.assembly import edited, recut

FPS = Fraction(24000, 1001)
Change: TypeAlias = Callable[[otio.schema.Track], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A film of three pieces with its timeline; frame n of it is grey of level n + 20."""
    pieces = []
    for number in range(3):
        with here.store().scratch(".mp4") as path:
            encode(numbered(30 * number, 30 * number + 30), path, SIZE, FPS, 30)
            pieces.append(here.store().put_file(path))
    timeline = Timeline(FPS, SIZE, tuple(Clip(name, 30, "hold") for name in ("one", "two", "three")))
    score = CueSheet(FPS, 90, (Effect("thud", 10), Effect("body", 45)))
    loudness.write(score, tmp_path / "sound.m4a")
    join([here.store().path_of(piece) for piece in pieces], tmp_path / "film.mp4", tmp_path / "sound.m4a")
    shown = editors.cuts(timeline, [piece.sha256 for piece in pieces])
    edit = editors.timeline_of("Test", FPS, shown, "film.mp4", score, store.sha256_of(tmp_path / "film.mp4"))
    editors.write(edit, tmp_path, SIZE)
    editors.write_bundle(edit, tmp_path / "timeline.otioz", tmp_path / "film.mp4")
    return tmp_path


def change_timeline(folder: Path, change: Change) -> Path:
    """Write the film's timeline with its track of pictures changed."""
    timeline = otio.adapters.read_from_file(str(folder / "timeline.otio"))
    change(timeline.video_tracks()[0])
    otio.adapters.write_to_file(timeline, str(folder / "edited.otio"))
    return folder / "edited.otio"


def trim(clip: otio.schema.Clip, start: float, frames: int) -> None:
    rate = clip.source_range.duration.rate
    clip.source_range = otio.opentime.TimeRange(
        otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(frames, rate)
    )


def numbers(path: Path) -> list[int]:
    return [level(frame) - 20 for frame in decoded(path)]


def test_a_timeline_that_nobody_edited_gives_the_same_pictures_and_sound(folder: Path) -> None:
    report = recut.cut(folder / "timeline.otio", folder / "recut.mp4", here.store())

    assert report.frames == 90
    assert (folder / "recut.mp4").read_bytes() == (folder / "film.mp4").read_bytes()


def test_a_bundle_can_be_cut_like_its_timeline(folder: Path) -> None:
    recut.cut(folder / "timeline.otioz", folder / "recut.mp4", here.store())

    assert (folder / "recut.mp4").read_bytes() == (folder / "film.mp4").read_bytes()


def test_clips_can_be_reordered_trimmed_left_out_and_repeated(folder: Path) -> None:
    def change(track: otio.schema.Track) -> None:
        two, three = track[1].deepcopy(), track[2].deepcopy()
        trim(two, 40, 12)
        track[:] = [three, two, three.deepcopy()]

    path = change_timeline(folder, change)

    assert recut.cut(path, folder / "recut.mp4", here.store()).frames == 72
    wanted = [*range(60, 90), *range(40, 52), *range(60, 90)]
    assert numbers(folder / "recut.mp4") == pytest.approx(wanted, abs=2)


def test_sounds_stay_with_their_pictures(folder: Path) -> None:
    def change(track: otio.schema.Track) -> None:
        one, two = track[0].deepcopy(), track[1].deepcopy()
        trim(two, 40, 20)
        trim(one, 12, 18)
        track[:] = [two, one]

    path = change_timeline(folder, change)
    recut.cut(path, folder / "recut.mp4", here.store())

    written = otio.adapters.read_from_file(str(path))
    score = edited.read(written, folder).score
    # The blow was on frame 45 of the film; the thud on frame 10 was cut out with its picture.
    assert score.effects == (Effect("body", 5),)
    with av.open(str(folder / "recut.mp4")) as film:
        assert film.streams.audio[0].duration == 38 * 2002


def test_a_trimmed_piece_is_cut_from_the_film_when_the_store_was_emptied(folder: Path) -> None:
    for piece in settings.load().store_root.glob("objects/*/*.mp4"):
        piece.unlink()

    recut.cut(folder / "timeline.otio", folder / "recut.mp4", here.store())

    assert numbers(folder / "recut.mp4") == pytest.approx(range(90), abs=2)


def gap(track: otio.schema.Track) -> None:
    track.insert(1, otio.schema.Gap(duration=otio.opentime.RationalTime(5, float(FPS))))


def slowed(track: otio.schema.Track) -> None:
    track[0].effects.append(otio.schema.LinearTimeWarp(name="slow", time_scalar=0.5))


def unlinked(track: otio.schema.Track) -> None:
    track[0].media_reference.target_url = "gone.mp4"


def beyond(track: otio.schema.Track) -> None:
    trim(track[2], 80, 30)


def misnamed(track: otio.schema.Track) -> None:
    track[0].media_reference.target_url = "x" * 300


def unmeasured(track: otio.schema.Track) -> None:
    track[0].media_reference.available_range = None


def nowhere(track: otio.schema.Track) -> None:
    trim(track[0], math.nan, 5)


def trimmed_whole(track: otio.schema.Track) -> None:
    track.source_range = track[0].source_range


def slowed_whole(track: otio.schema.Track) -> None:
    track.effects.append(otio.schema.LinearTimeWarp(name="slow", time_scalar=0.5))


def warped_stack(track: otio.schema.Track) -> None:
    track.parent().effects.append(otio.schema.LinearTimeWarp(time_scalar=2.0))


def disabled(track: otio.schema.Track) -> None:
    for clip in track:
        clip.enabled = False


def hidden(track: otio.schema.Track) -> None:
    track.enabled = False


def without_a_segment(track: otio.schema.Track) -> None:
    del track[1].metadata["undercard"]["segment"]


def with_a_sound_that_there_is_not(track: otio.schema.Track) -> None:
    track[0].metadata["undercard"]["sounds"] = [["gong", 3, 0.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (gap, "Gap '' after clip 'one'"),
        (slowed, "clip 'one' has the effect 'slow'"),
        (unlinked, "clip 'one': its media 'gone.mp4' is not there"),
        (beyond, "clip 'three': frames 80…109, but its media has 0…89"),
        (misnamed, "clip 'one': its media 'x+' is not there"),
        (unmeasured, "clip 'one' does not say how long its media is"),
        (nowhere, "clip 'one' shows 5 frames from nan of 90 frames from 0, which are none"),
        (trimmed_whole, "track 'Picture' is trimmed as a whole"),
        (slowed_whole, "track 'Picture' has the effect 'slow'"),
        (warped_stack, "the timeline has the effect 'LinearTimeWarp'"),
        (disabled, "the timeline has no clip that is enabled"),
        (hidden, "the timeline has 0 tracks of pictures that are enabled"),
        (without_a_segment, r"clip 'two': metadata undercard\.segment is missing"),
        (with_a_sound_that_there_is_not, r"clip 'one': metadata undercard\.sounds\.0\.0 is 'gong' \(.* bell, thud"),
    ],
)
def test_what_cannot_be_cut_is_named_and_the_old_film_stays(folder: Path, change: Change, message: str) -> None:
    (folder / "recut.mp4").write_bytes(b"old")

    with pytest.raises(BadInput, match=message):
        recut.cut(change_timeline(folder, change), folder / "recut.mp4", here.store())

    assert (folder / "recut.mp4").read_bytes() == b"old"


def test_a_clip_that_an_editor_disabled_is_left_out(folder: Path) -> None:
    def change(track: otio.schema.Track) -> None:
        track[1].enabled = False

    assert recut.cut(change_timeline(folder, change), folder / "recut.mp4", here.store()).frames == 60
    assert numbers(folder / "recut.mp4") == pytest.approx([*range(30), *range(60, 90)], abs=2)


def test_media_that_starts_at_one_oclock_is_counted_from_there(folder: Path) -> None:
    def change(track: otio.schema.Track) -> None:
        hour = round(3600 * FPS)
        for clip, start in zip(track, (0, 30, 60), strict=True):
            rate = clip.source_range.duration.rate
            begins = otio.opentime.RationalTime(hour, rate)
            clip.media_reference.available_range = otio.opentime.TimeRange(
                begins, clip.media_reference.available_range.duration
            )
            trim(clip, hour + start, 30)

    recut.cut(change_timeline(folder, change), folder / "recut.mp4", here.store())

    assert (folder / "recut.mp4").read_bytes() == (folder / "film.mp4").read_bytes()


def test_a_clip_that_was_relinked_shows_its_new_media(folder: Path) -> None:
    encode(numbered(100, 190), folder / "graded.mp4", SIZE, FPS, 90)

    def change(track: otio.schema.Track) -> None:
        track[1].media_reference.target_url = "graded.mp4"

    recut.cut(change_timeline(folder, change), folder / "recut.mp4", here.store())

    assert numbers(folder / "recut.mp4") == pytest.approx([*range(30), *range(130, 160), *range(60, 90)], abs=2)


def test_media_of_another_size_is_refused_by_name(folder: Path) -> None:
    larger = (2 * SIZE[0], 2 * SIZE[1])
    encode((frame.repeat(2, 0).repeat(2, 1) for frame in numbered(0, 90)), folder / "large.mp4", larger, FPS, 90)

    def change(track: otio.schema.Track) -> None:
        track[1].media_reference.target_url = "large.mp4"

    with pytest.raises(BadInput, match=f"clip 'two': large.mp4 is {larger[0]}x{larger[1]}, the first clip {SIZE[0]}x"):
        recut.cut(change_timeline(folder, change), folder / "recut.mp4", here.store())


def test_a_film_that_was_rendered_again_is_not_cut_by_an_old_timeline(folder: Path) -> None:
    encode(numbered(100, 190), folder / "film.mp4", SIZE, FPS, 90)

    with pytest.raises(BadInput, match=r"film\.mp4 is not the film that the timeline was cut from"):
        recut.cut(folder / "timeline.otio", folder / "recut.mp4", here.store())


def test_a_frame_rate_that_is_none_is_refused(folder: Path) -> None:
    text = (folder / "timeline.otio").read_text()
    (folder / "edited.otio").write_text(text.replace('"24000/1001"', '"abc"'))

    with pytest.raises(BadInput, match=r"the timeline: metadata undercard\.fps is 'abc' \(.*24000/1001"):
        recut.cut(folder / "edited.otio", folder / "recut.mp4", here.store())


def test_a_timeline_without_its_metadata_is_cut_without_sound_and_says_so(folder: Path) -> None:
    text = (folder / "timeline.otio").read_text()
    (folder / "edited.otio").write_text(text.replace('"undercard"', '"stripped"'))

    answer = CliRunner().invoke(app, ["cut", str(folder / "edited.otio")])

    assert answer.exit_code == 0, answer.output
    assert "the timeline has sound, but the metadata that undercard makes it from is gone" in answer.output
    with av.open(str(folder / "recut.mp4")) as film:
        assert not film.streams.audio


def test_a_clip_without_its_metadata_is_named(folder: Path) -> None:
    def change(track: otio.schema.Track) -> None:
        track[1].metadata.clear()

    assert (
        "clip 'two' brings no sounds"
        in recut.cut(change_timeline(folder, change), folder / "recut.mp4", here.store()).unheard
    )


@pytest.mark.parametrize("name", ["", "x" * 300 + ".mp4", "film.mp4/recut.mp4"])
def test_where_no_film_can_be_written_is_told_before_the_work(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(recut, "encode")
    monkeypatch.delattr(recut, "join")

    answer = CliRunner().invoke(app, ["cut", str(folder / "timeline.otio"), "--into", str(folder / name)])

    assert answer.exit_code == 2, answer.output
    assert "name" in answer.output


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1/0", "1e99", "24", "-1/2", "gong", "../../x", "a" * 64, "\0", "/", "x" * 300]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
TRACK = {"file": "sound.m4a", "frames": [0, 50, 0, 0], "skip": "1/2", "db": [0.0, 6.0], "loop": True}


@given(st.data())
@checks(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_became_of_the_metadata_there_is_an_edit_or_an_error_that_says_so(
    folder: Path, data: st.DataObject
) -> None:
    written = json.loads((folder / "timeline.otio").read_text())
    known = written["metadata"]["undercard"]
    known["sound"]["tracks"] = [deepcopy(TRACK) | {"file": str(folder / "sound.m4a")}]
    clips = [clip["metadata"]["undercard"] for clip in written["tracks"]["children"][0]["children"]]
    for _ in range(data.draw(st.integers(1, 3))):
        damage(data, data.draw(st.sampled_from([known, *clips])))
    path = folder / "damaged.otio"
    path.write_text(json.dumps(written))

    # Anything but an error of undercard's own fails.
    with suppress(UndercardError), edited.opened(path) as (found, base):
        assert edited.read(found, base).score.frame_count == 90


def damage(data: st.DataObject, value: object) -> None:
    """Replace, remove or add something in *value*, or in something that it holds."""
    keys: list[str | int] = list(value) if isinstance(value, dict) else list(range(len(value)))  # type: ignore[arg-type]
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    inner = value[key]  # type: ignore[index]
    if isinstance(inner, dict | list) and data.draw(st.booleans()):
        damage(data, inner)
    elif data.draw(st.booleans()):
        value[key] = data.draw(JUNK)  # type: ignore[index]
    else:
        del value[key]  # type: ignore[attr-defined]


def test_a_file_that_is_no_timeline_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.otio").write_text("{")
    (tmp_path / "b.otioz").write_bytes(b"no zip")

    for name in ("a.otio", "b.otioz", "gone.otio"):
        with pytest.raises(BadInput, match="no timeline that can be read"):
            recut.cut(tmp_path / name, tmp_path / "recut.mp4", here.store())


def test_the_command_line_cuts_beside_the_timeline(folder: Path) -> None:
    answer = CliRunner().invoke(app, ["cut", str(folder / "timeline.otio")])

    assert answer.exit_code == 0, answer.output
    assert "90 frames" in answer.output
    assert (folder / "recut.mp4").is_file()

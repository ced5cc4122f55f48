from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import opentimelineio as otio
import pytest

from tests.film.footage import SIZE
from undercard.film.interchange.editors import Cut, cuts, timeline_of, write, write_bundle
from undercard.film.sound.cue_sheet import CueSheet, Effect
from undercard.film.timeline.timeline import Clip, Timeline, Transition

NTSC = Fraction(24000, 1001)
EXPECTED = [("a", 0, 22), ("a → b", 22, 8), ("b", 30, 32), ("a shot with a long name", 62, 30)]
SEGMENTS = [letter * 64 for letter in "abcd"]


def film(fps: Fraction) -> Timeline:
    fade = Transition("crossfade", 8)
    clips = (Clip("a", 30, "hold"), Clip("b", 40, "hold", fade), Clip("a shot with a long name", 30, "hold"))
    return Timeline(fps, SIZE, clips)


def edit_of(fps: Fraction) -> otio.schema.Timeline:
    timeline = film(fps)
    score = CueSheet(fps, timeline.frame_count, (Effect("thud", 25), Effect("bell", 70)), (), 0.0)
    return timeline_of("Der <Titel> & 映画", fps, cuts(timeline, SEGMENTS), "film.mp4", score)


def shown(track: otio.schema.Track) -> list[tuple[str, int, int]]:
    return [
        (clip.name, round(clip.source_range.start_time.value), round(clip.source_range.duration.value))
        for clip in track.find_clips()
    ]


def test_the_pieces_of_a_film_follow_each_other_without_a_gap() -> None:
    assert cuts(film(NTSC), SEGMENTS) == tuple(
        Cut(name, start, frames, segment) for (name, start, frames), segment in zip(EXPECTED, SEGMENTS, strict=True)
    )


@pytest.mark.parametrize("fps", [Fraction(24), NTSC, Fraction(25), Fraction(30000, 1001)])
def test_what_is_written_opens_again_as_it_was(tmp_path: Path, fps: Fraction) -> None:
    opened, edl, _ = write(edit_of(fps), tmp_path, SIZE)

    again = otio.adapters.read_from_file(str(opened))
    assert again.is_equivalent_to(edit_of(fps))
    assert shown(again.video_tracks()[0]) == EXPECTED
    assert again.video_tracks()[0].duration().value == film(fps).frame_count
    # Times of an EDL name no rate; at 29.97 they are those that drop frames.
    rate = float(fps) if fps == Fraction(30000, 1001) else round(fps)
    listed = otio.adapters.read_from_file(str(edl), rate=rate)
    assert shown(listed.video_tracks()[0]) == EXPECTED


@pytest.mark.parametrize("fps", [Fraction(24), Fraction(25)])
def test_final_cut_reads_the_clips_where_they_are(tmp_path: Path, fps: Fraction) -> None:
    *_, xml = write(edit_of(fps), tmp_path, SIZE)

    (opened,) = otio.adapters.read_from_file(str(xml))

    assert [clip for track in opened.tracks for clip in shown(track)] == EXPECTED


@pytest.mark.parametrize("fps", [Fraction(24), NTSC, Fraction(30000, 1001)])
def test_final_cuts_times_are_whole_frames(tmp_path: Path, fps: Fraction) -> None:
    *_, xml = write(edit_of(fps), tmp_path, SIZE)
    root = ElementTree.parse(xml).getroot()

    def frames(clip: ElementTree.Element, what: str) -> Fraction:
        return Fraction(clip.attrib[what].removesuffix("s")) * fps

    assert Fraction(root.find(".//format").attrib["frameDuration"].removesuffix("s")) == 1 / fps  # type: ignore[union-attr]
    clips = list(root.iter("asset-clip"))
    assert [clip.attrib["name"] for clip in clips] == [name for name, _, _ in EXPECTED]
    assert [frames(clip, "start") for clip in clips] == [start for _, start, _ in EXPECTED]
    assert [frames(clip, "duration") for clip in clips] == [length for _, _, length in EXPECTED]
    # The film itself is on the timeline in one piece, so that a clip begins where it does in the media.
    assert [frames(clip, "offset") for clip in clips] == [start for _, start, _ in EXPECTED]
    assert root.find(".//project").attrib["name"] == "Der <Titel> & 映画"  # type: ignore[union-attr]


def test_a_bundle_holds_the_film_that_it_is_of(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"the film")

    write_bundle(edit_of(NTSC), tmp_path / "timeline.otioz", tmp_path / "film.mp4")

    out = tmp_path / "out"
    out.mkdir()
    again = otio.adapters.read_from_file(str(tmp_path / "timeline.otioz"), extract_to_directory=str(out))
    assert shown(again.video_tracks()[0]) == EXPECTED
    clip = next(iter(again.find_clips()))
    assert (out / clip.media_reference.target_url).read_bytes() == b"the film"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "out", "timeline.otioz"]

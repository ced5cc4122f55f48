"""The film as whole shots: where their cuts lie, what is left on either side, and what other editors read of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import opentimelineio as otio
import pytest

from tests.film.footage import SIZE
from undercard.film.interchange import editors, handles
from undercard.film.interchange.handles import Join
from undercard.film.timeline.timeline import Clip, Timeline, Transition

RATES = [Fraction(24), Fraction(24000, 1001), Fraction(25)]


def film(fps: Fraction = Fraction(24)) -> Timeline:
    clips = (
        Clip("walk", 30, "hold", Transition("dip", 6)),
        Clip("jab", 40, "hold", Transition("crossfade", 9)),
        Clip("hook", 24, "hold"),
        Clip("fall", 30, "hold", Transition("dip", 10)),
        Clip("count", 36, "hold", Transition("wipe_left", 8)),
    )
    return Timeline(fps, SIZE, clips)


def edit_of(fps: Fraction = Fraction(24)) -> otio.schema.Timeline:
    media = {clip.shot: f"film-shots/{clip.shot}.mp4" for clip in film().clips}
    return handles.timeline_of("Whole shots", film(fps), media, "film.mp4")


def test_a_cut_lies_in_the_middle_of_what_overlaps_and_where_a_dip_is_black() -> None:
    assert handles.joins(film()) == (
        None,
        Join(4, 5, "crossfade"),
        None,
        Join(5, 5, "dip"),
        Join(4, 4, "wipe_left"),
    )


def test_every_shot_is_encoded_from_its_first_frame_to_its_last() -> None:
    assert [(piece.name, piece.frame_count) for piece in handles.whole_shots(film())] == [
        (clip.shot, clip.frames) for clip in film().clips
    ]
    # One that no transition touches is the piece that the film has already.
    assert handles.whole_shots(film())[2] not in film().pieces()
    hard = Timeline(Fraction(24), SIZE, (Clip("a", 5, "hold"), Clip("b", 5, "hold")))
    assert handles.whole_shots(hard) == hard.pieces()


@pytest.mark.parametrize("fps", RATES)
def test_it_is_as_long_as_the_film_and_each_transition_has_media_on_both_sides(fps: Fraction) -> None:
    track = edit_of(fps).video_tracks()[0]

    assert round(track.duration().value) == film(fps).frame_count
    items = list(track)
    for index, item in enumerate(items):
        if not isinstance(item, otio.schema.Transition) or item.transition_type != editors.DISSOLVE:
            continue
        leaving, coming = items[index - 1], items[index + 1]
        # What shows after the cut of the shot that leaves, and before it of the one that comes, is in their media.
        end = leaving.source_range.end_time_exclusive() + item.out_offset
        assert end <= leaving.available_range().end_time_exclusive()
        begin = coming.source_range.start_time - item.in_offset
        assert begin >= coming.available_range().start_time
        # All of it is: the transition could be moved by its whole half to either side.
        assert end == leaving.available_range().end_time_exclusive()
        assert begin == coming.available_range().start_time


@pytest.mark.parametrize("fps", RATES)
def test_what_is_written_opens_again_as_it_was(tmp_path: Path, fps: Fraction) -> None:
    written, edl, xml = editors.write(edit_of(fps), tmp_path, SIZE, "film-shots")

    assert [path.name for path in (written, edl, xml)] == ["film-shots.otio", "film-shots.edl", "film-shots.fcpxml"]
    again = otio.adapters.read_from_file(str(written))
    assert again.is_equivalent_to(edit_of(fps))
    listed = otio.adapters.read_from_file(str(edl), rate=round(fps)).video_tracks()[0]
    dissolves = [item for item in listed if isinstance(item, otio.schema.Transition)]
    assert [round(item.in_offset.value + item.out_offset.value) for item in dissolves] == [9, 8]
    assert round(listed.duration().value) == film(fps).frame_count


def test_final_cut_has_a_medium_a_shot_and_dissolves_over_the_cuts(tmp_path: Path) -> None:
    *_, xml = editors.write(edit_of(), tmp_path, SIZE)
    root = ElementTree.parse(xml).getroot()

    def frames(item: ElementTree.Element, what: str) -> int:
        return int(Fraction(item.attrib[what].removesuffix("s")) * 24)

    assert [asset.attrib["src"] for asset in root.iter("asset")] == [
        f"./film-shots/{clip.shot}.mp4" for clip in film().clips
    ]
    assert not any("hasAudio" in asset.attrib for asset in root.iter("asset"))
    assert [(frames(each, "offset"), frames(each, "duration")) for each in root.iter("transition")] == [
        (30 - 5 - 4, 9),
        (25 + 36 + 24 + 26 - 4, 8),
    ]
    clips = [(each.attrib["name"], frames(each, "start"), frames(each, "duration")) for each in root.iter("asset-clip")]
    assert clips == [("walk", 0, 25), ("jab", 4, 36), ("hook", 0, 24), ("fall", 0, 26), ("count", 4, 32)]

"""Final Cut's XML, element by element."""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree

import opentimelineio as otio
import pytest

from undercard.film.interchange import fcpxml
from undercard.film.interchange.editors import DISSOLVE, frame_range
from undercard.film.interchange.handles import OTHER

NTSC = Fraction(24000, 1001)


def clip(name: str, media: str, start: int, frames: int, fps: Fraction, length: int = 48) -> otio.schema.Clip:
    reference = otio.schema.ExternalReference(media, frame_range(0, length, float(fps)))
    return otio.schema.Clip(name, reference, frame_range(start, frames, float(fps)))


def transition(kind: str, before: int, after: int, fps: Fraction) -> otio.schema.Transition:
    offsets = (otio.opentime.RationalTime(frames, float(fps)) for frames in (before, after))
    return otio.schema.Transition("fade", kind, *offsets)


def exported(fps: Fraction, *items: otio.core.Composable, samples: int = 0) -> ElementTree.Element:
    track = otio.schema.Track("Picture", kind=otio.schema.TrackKind.Video)
    track.extend(items)
    edit = otio.schema.Timeline('Ray & "Sol"')
    edit.tracks.append(track)
    return ElementTree.fromstring(fcpxml.text(edit, fps, (1024, 576), samples))


def attributes(root: ElementTree.Element, name: str, *keys: str) -> list[tuple[str | None, ...]]:
    return [tuple(found.get(key) for key in keys) for found in root.iter(name)]


@pytest.mark.parametrize(
    ("fps", "frame", "second"),
    [(Fraction(24), "1/24s", "1s"), (NTSC, "1001/24000s", "1001/1000s"), (Fraction(25), "1/25s", "24/25s")],
)
def test_times_are_fractions_of_a_second_and_never_rounded(fps: Fraction, frame: str, second: str) -> None:
    root = exported(fps, clip("jab", "jab.mp4", 0, 24, fps), clip("hook", "hook.mp4", 24, 1, fps))

    assert attributes(root, "format", "frameDuration", "width", "height") == [(frame, "1024", "576")]
    assert attributes(root, "asset-clip", "name", "offset", "start", "duration") == [
        ("jab", "0s", "0s", second),
        ("hook", second, second, frame),
    ]


def test_a_file_that_two_clips_show_is_one_asset() -> None:
    fps = Fraction(24)
    root = exported(fps, *(clip(name, f"{name[0]}.mp4", 0, 24, fps) for name in ("a1", "b1", "a2")))

    assert attributes(root, "asset", "id", "src", "duration", "hasVideo", "format") == [
        ("r2", "./a.mp4", "2s", "1", "r1"),
        ("r3", "./b.mp4", "2s", "1", "r1"),
    ]
    assert attributes(root, "asset-clip", "ref") == [("r2",), ("r3",), ("r2",)]


@pytest.mark.parametrize(("samples", "sound"), [(48_000, ("1", "1", "2", "48000")), (0, (None, None, None, None))])
def test_only_media_with_sound_promise_it(samples: int, sound: tuple[str | None, ...]) -> None:
    fps = Fraction(24)
    root = exported(fps, clip("jab", "jab.mp4", 0, 24, fps), samples=samples)

    assert attributes(root, "asset", "hasAudio", "audioSources", "audioChannels", "audioRate") == [sound]


def test_a_dissolve_lies_over_the_cut_and_takes_no_time_of_its_own() -> None:
    fps = Fraction(24)
    jab, hook = clip("jab", "jab.mp4", 0, 24, fps), clip("hook", "hook.mp4", 6, 24, fps)

    root = exported(fps, jab, transition(DISSOLVE, 4, 8, fps), hook)

    spine = root.find(".//spine")
    assert spine is not None
    assert [each.tag for each in spine] == ["asset-clip", "transition", "asset-clip"]
    assert attributes(root, "transition", "name", "offset", "duration") == [("Cross Dissolve", "5/6s", "1/2s")]
    assert attributes(root, "asset-clip", "offset", "start") == [("0s", "0s"), ("1s", "1/4s")]
    assert attributes(root, "sequence", "duration") == [("2s",)]


def test_a_transition_that_final_cut_has_no_name_for_is_a_cut() -> None:
    fps = Fraction(24)
    jab, hook = clip("jab", "jab.mp4", 0, 24, fps), clip("hook", "hook.mp4", 6, 24, fps)

    root = exported(fps, jab, transition(OTHER, 4, 8, fps), hook)

    assert list(root.iter("transition")) == []


def test_a_title_with_marks_of_xml_comes_back_whole() -> None:
    root = exported(NTSC, clip("<jab>", "jab.mp4", 0, 24, NTSC))

    assert attributes(root, "project", "name") == attributes(root, "event", "name") == [('Ray & "Sol"',)]
    assert attributes(root, "asset-clip", "name") == [("<jab>",)]

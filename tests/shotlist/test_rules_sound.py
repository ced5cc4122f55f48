"""Cues within their shots, and tracks at a place that there is."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from tests.fakes.shot_lists import problems

NOD = "  - id: nod\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a tenth of a second of silence in it."""
    with wave.open(str(tmp_path / "theme.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    return tmp_path


def told(folder: Path, *changes: tuple[str, str]) -> list[tuple[str, str, str]]:
    return [(each.where, each.what, each.remedy) for each in problems(folder, *changes)]


def cued(at: str) -> tuple[str, str]:
    return NOD, f"{NOD}    sounds: [{{at: {at}, sound: bell}}]\n"


def tracked(fields: str) -> tuple[str, str]:
    return "cast:", f"sound: {{tracks: [{{file: theme.wav, {fields}}}]}}\ncast:"


def test_a_cue_falls_on_a_frame_of_its_shot(tmp_path: Path) -> None:
    place = "shots › nod › sounds[0] › at"

    assert told(tmp_path, cued("23")) == []
    assert told(tmp_path, cued("24")) == [(place, "frame 24 is beyond the shot, whose last is 23", "use at most 23")]
    assert told(tmp_path, cued("1.5s")) == [(place, "frame 36 is beyond the shot, whose last is 23", "use at most 23")]


def test_the_cues_of_a_shot_of_no_length_are_not_complained_of_as_well(tmp_path: Path) -> None:
    found = told(tmp_path, ("    length: 24\n", "    length: 0\n    sounds: [{at: 3, sound: bell}]\n"))

    assert [place for place, _, _ in found] == ["shots › jab › length"]


@pytest.mark.parametrize("stop", ["10", "9", "0.25s"])
def test_a_track_stops_after_it_has_started(folder: Path, stop: str) -> None:
    frame = 6 if stop.endswith("s") else int(stop)

    assert told(folder, tracked("start: 10, stop: 11")) == []
    assert told(folder, tracked(f"start: 10, stop: {stop}")) == [
        (
            "sound › tracks[0] › stop",
            f"a track that stops at frame {frame} and starts at 10",
            "stop it after its start",
        )
    ]


def test_a_track_without_a_start_begins_on_frame_0(folder: Path) -> None:
    ((_, what, _),) = told(folder, tracked("stop: 0"))

    assert what == "a track that stops at frame 0 and starts at 0"


def test_a_track_counts_from_a_shot_that_there_is(folder: Path) -> None:
    assert told(folder, tracked("shot: nod")) == []
    assert told(folder, tracked("shot: nodd")) == [("sound › tracks[0] › shot", "no shot 'nodd'", "did you mean nod?")]

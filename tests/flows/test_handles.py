"""A film written as whole shots, which an editor puts together again frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import opentimelineio as otio
import pytest

from flows.produce import produce
from tests.film.footage import decoded
from undercard.film.base.pixels import Pixels, mix
from undercard.film.interchange.editors import DISSOLVE

pytestmark = pytest.mark.usefixtures("prefect_server")
CODEC = 5.0
"""Mean grey levels that encoding so small a picture costs, the film's and the shots'; another shot is 20 and more."""


def edited(timeline: Path) -> list[Pixels]:
    """Put the timeline's shots together as an editor does: clips, and a dissolve over the cut between two."""
    (track,) = otio.adapters.read_from_file(str(timeline)).video_tracks()
    shown: list[Pixels] = []
    held: list[Pixels] = []
    for item in track:
        if isinstance(item, otio.schema.Transition):
            assert item.transition_type == DISSOLVE
            inside, outside = round(item.in_offset.value), round(item.out_offset.value)
            held = [shown.pop() for _ in range(inside)][::-1] + held[:outside]
            continue
        media = decoded(timeline.parent / item.media_reference.target_url)
        assert len(media) == round(item.available_range().duration.value)
        start, count = round(item.source_range.start_time.value), round(item.source_range.duration.value)
        coming = media[start - (len(held) - len(held) // 2) : start + count] if held else media[start : start + count]
        length = len(held)
        for index, leaving in enumerate(held):
            shown.append(mix(leaving, coming[index], (index + 1) / (length + 1)))
        shown += coming[length:]
        held = media[start + count :]
    return shown


def test_whole_shots_and_their_dissolves_make_the_film_again(film: Path, store: Path) -> None:
    made = produce(shot_list=film, handles=True)

    assert [path.name for path in sorted(made.with_name("film-shots").iterdir())] == [
        "001-guard.mp4",
        "002-jab.mp4",
        "003-victory.mp4",
    ]
    again, wanted = edited(made.with_name("film-shots.otio")), decoded(made)
    assert len(again) == len(wanted) == 26
    for ours, theirs in zip(again, wanted, strict=True):
        assert float(np.abs(ours.astype(int) - theirs).mean()) < CODEC
    # The middle of the dissolve is neither shot.
    assert min(float(np.abs(again[17].astype(int) - again[other]).mean()) for other in (14, 20)) > 2 * CODEC
    objects = {path: path.stat().st_mtime_ns for path in (store / "objects").rglob("*.*")}
    produce(shot_list=film, handles=True)
    assert {path: path.stat().st_mtime_ns for path in (store / "objects").rglob("*.*")} == objects

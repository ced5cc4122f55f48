"""What undercard writes into a timeline for itself, and reads after an editor had it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from undercard.errors import BadInput
from undercard.film.interchange import metadata
from undercard.film.interchange.metadata import (
    ClipMetadata,
    FilmMetadata,
    SoundMetadata,
    TimelineMetadata,
    TrackMetadata,
)

DIGEST = "0123456789abcdef" * 4
CLIP = ClipMetadata(segment=DIGEST, range=(24, 48), sounds=(("bell", 24, -3.5),))
WHOLE = TimelineMetadata(
    fps=Fraction(24000, 1001),
    film=FilmMetadata(name="film.mp4", sha256=DIGEST),
    sound=SoundMetadata(
        crowd_db=-6.0,
        tracks=(
            TrackMetadata(
                file=Path("music/theme.ogg"),
                frames=(0, 240, 12, 24),
                skip=Fraction(1, 3),
                db=(-3.0, 9.0),
                loop=True,
            ),
        ),
    ),
)


def refused(**changes: Any) -> str:
    """Return what is said of a clip whose metadata somebody changed; None removes a key."""
    written: dict[str, Any] = {"segment": DIGEST, "range": [24, 48], "sounds": [["bell", 24, -3.5]], **changes}
    kept = {key: value for key, value in written.items() if value is not None}
    clip = otio.schema.Clip("jab", metadata={"undercard": kept})
    with pytest.raises(BadInput) as caught:
        metadata.read(ClipMetadata, clip, "clip 'jab'")
    return str(caught.value)


def test_what_is_written_is_read_again_after_a_round_trip_through_a_file() -> None:
    edit = otio.schema.Timeline("A Duel", metadata=WHOLE.written())
    clip = otio.schema.Clip("jab", metadata=CLIP.written())

    again = otio.adapters.read_from_string(edit.to_json_string(), "otio_json")

    assert metadata.read(TimelineMetadata, again, "the timeline") == WHOLE
    assert metadata.read(ClipMetadata, clip, "clip 'jab'") == CLIP


def test_metadata_of_other_programs_alone_is_none_of_ours() -> None:
    clip = otio.schema.Clip("jab", metadata={"cmx_3600": {"reel": "A001"}, "nul\0": 1})

    assert metadata.read(ClipMetadata, clip, "clip 'jab'") is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"range": [24, -1]}, "metadata undercard.range.1 is -1 (Input should be greater than or equal to 0)"),
        ({"segment": "../../x"}, "metadata undercard.segment is '../../x' (String should match pattern"),
        ({"segment": None}, "metadata undercard.segment is missing"),
        ({"sounds": [["boom", 0, 0]]}, "metadata undercard.sounds.0.0 is 'boom' (not one of "),
        ({"sounds": [["bell", 0, 600]]}, "metadata undercard.sounds.0.2 is 600 ("),
        ({"note": "x"}, "metadata undercard.note is 'x' (Extra inputs are not permitted)"),
    ],
)
def test_metadata_that_somebody_changed_are_refused_with_whose_where_value_and_remedy(
    changes: dict[str, Any], said: str
) -> None:
    message = refused(**changes)

    assert message.startswith(f"clip 'jab': {said}")
    assert message.endswith("; edit the timeline that undercard wrote again, or remove the metadata")


def test_a_value_of_any_length_is_told_in_short() -> None:
    assert len(refused(note="x" * 10_000)) < 300


@pytest.mark.parametrize("fps", ["24000/1001", "24", "0", "25/1"])
def test_a_rate_is_a_whole_number_or_a_fraction(fps: str) -> None:
    assert TimelineMetadata.model_validate({"fps": fps}).fps == Fraction(fps)


@pytest.mark.parametrize("fps", ["1e999999999", "24/0", "-24", "23.976", "1" * 19, "24/1 ", "٢٤", 24, 24.0, None, True])
def test_what_is_no_such_rate_is_refused_without_working_it_out(fps: object) -> None:
    timeline = otio.schema.Timeline("A Duel", metadata={"undercard": {"fps": fps}})

    with pytest.raises(
        BadInput, match=r"the timeline: metadata undercard\.fps is .* \(not a fraction such as 24000/1001\)"
    ):
        metadata.read(TimelineMetadata, timeline, "the timeline")

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from tests.film.footage import SIZE, decoded, numbered
from undercard.film.checking.qc import check
from undercard.film.encoding.segments import encode, join
from undercard.film.sound import loudness
from undercard.film.sound.cue_sheet import CueSheet, Effect
from undercard.film.timeline.chapters import tags
from undercard.film.timeline.timeline import Clip, Timeline

FPS = Fraction(24000, 1001)


def test_a_player_finds_the_title_and_a_chapter_for_each_shot_on_its_frame(tmp_path: Path) -> None:
    caption = "Eins = #1; it's\\ 映画"
    timeline = Timeline(FPS, SIZE, (Clip("jab", 20, "hold", caption=caption), Clip("cross", 10, "hold")))
    encode(numbered(0, 30), tmp_path / "a.mp4", SIZE, FPS, 30)
    loudness.write(CueSheet(FPS, 30, (Effect("thud", 4),)), tmp_path / "sound.m4a")

    join(
        [tmp_path / "a.mp4"], tmp_path / "film.mp4", tmp_path / "sound.m4a", tags("A; #Title=", "undercard 1", timeline)
    )

    assert check(tmp_path / "film.mp4", timeline).frames == len(decoded(tmp_path / "film.mp4")) == 30
    with av.open(str(tmp_path / "film.mp4")) as film:
        assert film.metadata["title"] == "A; #Title="
        assert film.metadata["comment"] == "undercard 1"
        found = film.chapters()
    assert [chapter["metadata"]["title"] for chapter in found] == [f"jab: {caption}", "cross"]
    begins = [chapter["start"] * (chapter["time_base"] or Fraction(0)) for chapter in found]
    assert all(abs(time - frame / FPS) < Fraction(1, 1000) for time, frame in zip(begins, (0, 20), strict=True))

"""What a piece of the film is cut from, and which pieces a change to the shot list makes anew."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from tests import here
from tests.fakes.shot_lists import DUEL
from tests.film.footage import decoded
from undercard import store
from undercard.backends import Renderer, backend, fastest
from undercard.domain import progress
from undercard.domain.requests import Control
from undercard.domain.takes import Take
from undercard.film.timeline.captions import captions
from undercard.hardware.devices import Device
from undercard.planning.plan import Plan, plan_film
from undercard.production.assembly import edited, pieces, sound_cues
from undercard.shotlist.load import load_shot_list

HERE = Device(cores=1, host_bytes=0)
SIZE = (128, 72)
THIRD = """\
  - id: again
    length: 16
    replay: {of: jab, at: 4}
    transition: {kind: wipe_left, frames: 4}
    caption: Again.
  - id: bow
    length: 20
    motion: hold
    transition: {kind: crossfade, frames: 6}
    keyframes:
      - {at: 0, poses: {ray: bow}}
"""


def planned(folder: Path, *changes: tuple[str, str]) -> Plan:
    text = f"captions: burned\n{DUEL}{THIRD}"
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "film.yaml"
    path.write_text(text, encoding="utf-8")
    return plan_film(load_shot_list(path), HERE, here.settings(), backend="previz", size=SIZE)


def stored(picture: Image.Image) -> store.StoredFile:
    content = io.BytesIO()
    picture.save(content, "PNG")
    return here.store().put_bytes(content.getvalue(), ".png")


def taken(plan: Plan) -> pieces.Takes:
    """A take of its own grey for each keyframe; those of a replay are its source's."""
    takes: dict[str, tuple[Take, ...]] = {}
    for number, shot in enumerate(plan.shot_list.shots):
        made = []
        for keyframe in plan.keyframes(shot):
            picture = stored(Image.new("RGB", SIZE, (40 + 50 * number, 20 * keyframe.index, 90)))
            control = Control(
                key="k", frame=picture, depth=picture, normals=picture, skeleton=picture, keypoints=picture, seconds=0
            )
            made.append(Take(key="k", number=1, backend="previz", picture=picture, control=control, seconds=0))
        takes[shot.id] = tuple(made)
    return {shot.id: takes[shot.source] for shot in plan.shot_list.shots}


def keys(plan: Plan, takes: pieces.Takes) -> dict[str, str]:
    return {piece.name: pieces.piece_key(plan, piece, takes) for piece in plan.timeline.pieces()}


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        (("caption: Again.", "caption: Once more."), {"nod → again", "again"}),
        (("replay: {of: jab, at: 4}", "replay: {of: jab, at: 5}"), {"nod → again", "again", "again → bow"}),
        (("kind: wipe_left", "kind: wipe_up"), {"nod → again"}),
        # What jab shows changes jab, and what shows it again; its last frames stay in their place.
        (("{at: 8, ease: snap,", "{at: 8, ease: snap, freeze: 2,"), {"jab"}),
        (("title: A Duel", "title: Another"), set()),
        (("  - id: nod\n", "  - id: nod\n    title: {text: Nod, at: 2, length: 4}\n"), {"nod"}),
        (
            ("  - id: nod\n", '  - id: nod\n    clock: {round: 1, left: "1:00"}\n'),
            {"nod", "nod → again"},
        ),
    ],
)
def test_a_change_makes_its_own_pieces_anew_and_no_other(
    tmp_path: Path, change: tuple[str, str], stale: set[str]
) -> None:
    before, after = planned(tmp_path), planned(tmp_path, change)
    takes = taken(before)

    old, new = keys(before, takes), keys(after, takes)

    assert {name for name in new if new[name] != old[name]} == stale


def cut(plan: Plan, takes: pieces.Takes, renderer: Renderer) -> list[pieces.CutPiece]:
    return [pieces.cut_piece(plan, piece, takes, renderer, progress.current()) for piece in plan.timeline.pieces()]


def test_a_film_with_a_replay_is_cut_twice_into_the_same_bytes_and_has_its_frames(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    takes = taken(plan)

    with backend("previz").open(HERE, fastest("previz", plan.work, HERE, here.settings()), here.settings()) as renderer:
        first = cut(plan, takes, renderer)
        second = cut(plan, takes, renderer)

    assert [piece.sha256 for piece in first] == [piece.sha256 for piece in second]
    film = pieces.join_film(first, plan.timeline, here.store())
    assert film.frames == 24 + 24 + 16 + 20 - 4 - 6
    assert len(decoded(here.store().path_of(film.file))) == film.frames


def test_a_film_is_published_with_its_captions_beside_it(tmp_path: Path) -> None:
    beside = planned(tmp_path, ("captions: burned", "captions: both"))
    film = stored(Image.new("RGB", (8, 8)))

    path = pieces.publish(film, beside, tmp_path / "films", "film.mp4")

    assert Counter(file.suffix for file in path.parent.iterdir()) == {".mp4": 1, ".srt": 1, ".vtt": 1}
    (said,) = captions(beside.timeline)
    assert path.with_suffix(".srt").read_text() == "1\n00:00:01,833 --> 00:00:02,250\nAgain.\n"
    assert (said.start, said.stop) == (44, 54)


def test_captions_that_are_burned_in_leave_no_old_files_beside_the_film(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "film.srt").write_text("old")

    pieces.publish(stored(Image.new("RGB", (8, 8))), planned(tmp_path), folder, "film.mp4")

    assert [file.name for file in folder.iterdir()] == ["film.mp4"]


def test_a_published_timeline_is_cut_back_from_the_pieces_of_its_film(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    with backend("previz").open(HERE, fastest("previz", plan.work, HERE, here.settings()), here.settings()) as renderer:
        made = cut(plan, taken(plan), renderer)
    film = pieces.publish(pieces.join_film(made, plan.timeline, here.store()).file, plan, tmp_path, "film.mp4")
    cues = sound_cues.score(plan)

    written, *_ = pieces.publish_timeline(plan, made, film, cues)

    with edited.opened(written) as (timeline, folder):
        edit = edited.read(timeline, folder)
    assert [stretch.segment for stretch in edit.stretches] == [piece.sha256 for piece in made]
    assert set(edit.score.effects) == set(cues.effects)

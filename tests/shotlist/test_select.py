from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.shot_lists import DUEL, write
from undercard.errors import UnknownShots
from undercard.shotlist.load import load_shot_list, select_shots, shots_from
from undercard.shotlist.models import Shot

IDS = ("walk-red", "walk-blue", "jab", "cross", "dock-03", "bell")


@pytest.fixture
def shots(tmp_path: Path) -> tuple[Shot, ...]:
    head = DUEL[: DUEL.index("  - id: jab")]
    body = "".join(f"  - {{id: {name}, length: 2, keyframes: [{{at: 0, poses: {{ray: guard}}}}]}}\n" for name in IDS)
    return load_shot_list(write(tmp_path, head + body)).shots


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("3", ["jab"]),
        ("2-4", ["walk-blue", "jab", "cross"]),
        ("jab", ["jab"]),
        ("walk*", ["walk-red", "walk-blue"]),
        ("dock-03", ["dock-03"]),
        ("bell, 1 ,1-2,jab,", ["walk-red", "walk-blue", "jab", "bell"]),
        ("*", list(IDS)),
    ],
)
def test_a_selection_gives_its_shots_once_in_the_films_order(
    shots: tuple[Shot, ...], selection: str, expected: list[str]
) -> None:
    assert [shot.id for shot in select_shots(shots, selection)] == expected


def test_an_unknown_id_is_answered_with_the_nearest(shots: tuple[Shot, ...]) -> None:
    with pytest.raises(UnknownShots, match=r"shot 'crosss' does not exist; did you mean cross\?"):
        select_shots(shots, "jab,crosss")


@pytest.mark.parametrize("selection", ["0", "7", "3-9", "4-2", "z*", "Jab", "1-2-3", "-1"])
def test_what_names_no_shot_is_refused(shots: tuple[Shot, ...], selection: str) -> None:
    with pytest.raises(UnknownShots, match="does not exist"):
        select_shots(shots, selection)


@pytest.mark.parametrize("selection", ["", " , "])
def test_an_empty_selection_is_refused(shots: tuple[Shot, ...], selection: str) -> None:
    with pytest.raises(UnknownShots, match="names no shot"):
        select_shots(shots, selection)


@pytest.mark.parametrize("first", ["4", "cross"])
def test_from_a_shot_means_it_and_all_that_follow(shots: tuple[Shot, ...], first: str) -> None:
    assert [shot.id for shot in shots_from(shots, first)] == ["cross", "dock-03", "bell"]


def test_from_an_unknown_shot_is_refused(shots: tuple[Shot, ...]) -> None:
    with pytest.raises(UnknownShots, match="'nowhere' does not exist"):
        shots_from(shots, "nowhere")

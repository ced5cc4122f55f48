"""What a shot list letters on its shots, as it is written there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.shot_lists import duel, problems
from undercard.shotlist.titles import ClockEntry, LowerThirdEntry, TitleEntry

JAB = "  - id: jab\n"


def lettered(line: str) -> tuple[str, str]:
    return JAB, f"{JAB}    {line}\n"


@pytest.mark.parametrize(
    ("at", "length", "span"), [(0, None, (0, 24)), (6, None, (6, 24)), (6, 10, (6, 16)), (20, 10, (20, 24))]
)
def test_a_title_ends_with_its_shot_at_the_latest(at: int, length: int | None, span: tuple[int, int]) -> None:
    assert TitleEntry.model_construct(text="The Duel", at=at, length=length).span(24) == span


@pytest.mark.parametrize(("left", "seconds"), [("0:00", 0), ("2:58", 178), ("3:00", 180), ("12:09", 729)])
def test_the_time_left_of_a_clock_is_minutes_and_seconds(tmp_path: Path, left: str, seconds: int) -> None:
    clock = duel(tmp_path, lettered(f'clock: {{round: 1, left: "{left}"}}')).shots[0].clock

    assert isinstance(clock, ClockEntry)
    assert clock.seconds_left == seconds


@pytest.mark.parametrize("left", ["2:60", "2:5", "258", ":30", "-1:00", "100:00"])
def test_a_clock_that_shows_no_time_is_told_how_one_is_written(tmp_path: Path, left: str) -> None:
    (found,) = problems(tmp_path, lettered(f'clock: {{round: 1, left: "{left}"}}'))

    assert (found.where, found.what, found.remedy) == (
        "shots › jab › clock › left",
        f"{left!r} is no time on a clock",
        'write minutes and seconds, such as "2:58"',
    )


def test_a_bare_text_is_a_title_and_a_bare_name_whose_lower_third_it_is(tmp_path: Path) -> None:
    shot = duel(tmp_path, lettered("title: The Duel\n    lower_third: sol")).shots[0]

    assert shot.title == TitleEntry.model_construct(text="The Duel")
    assert shot.lower_third == LowerThirdEntry.model_construct(fighter="sol")


def test_points_of_a_third_fighter_have_no_place(tmp_path: Path) -> None:
    row = "{fighter: ray, points: 9}"

    (found,) = problems(tmp_path, lettered(f"score: [{row}, {row}, {row}]"))

    assert found.where == "shots › jab › score"
    assert found.remedy == "write 2 at most"

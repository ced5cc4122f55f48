from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from tests import here
from tests.fakes.shot_lists import duel, problems
from undercard.film.lettering.graphics import Graphic
from undercard.film.timeline.captions import captions
from undercard.hardware.devices import Device
from undercard.planning.plan import plan_film
from undercard.shotlist import graphics as titling

JAB = "  - id: jab\n    length: 24\n"


def lettered(*lines: str) -> tuple[str, str]:
    return JAB, JAB + "".join(f"    {line}\n" for line in lines)


def graphics(folder: Path, *lines: str, film: str = "") -> tuple[Graphic, ...]:
    made = duel(folder, lettered(*lines), ("title: A Duel\n", f"title: A Duel\n{film}"))
    return titling.graphics(made, made.shots[0])


def test_a_title_stays_to_the_end_of_its_shot_unless_told(tmp_path: Path) -> None:
    assert graphics(tmp_path, "title: The Duel") == (Graphic("title", ("The Duel", ""), 0, 24),)
    timed = "title: {text: The Duel, under: at dawn, at: 0.25s, length: 60}"
    assert graphics(tmp_path, timed) == (Graphic("title", ("The Duel", "at dawn"), 6, 24),)


def test_a_lower_third_has_the_fighters_name_and_the_colour_of_his_corner(tmp_path: Path) -> None:
    (found,) = graphics(tmp_path, "lower_third: {fighter: sol, note: Champion, at: 2, length: 10}")

    assert found == Graphic("lower_third", ("Sol", "Champion"), 2, 12, (titling.CORNERS["blue"],))


def test_a_clock_starts_at_its_time_and_one_that_does_not_run_keeps_it(tmp_path: Path) -> None:
    (runs,) = graphics(tmp_path, 'clock: {round: 3, left: "2:05"}')
    (stands,) = graphics(tmp_path, 'clock: {round: 3, left: "2:05", label: R, runs: false}')

    assert (runs.lines, runs.seconds_left) == (("ROUND 3",), 125)
    assert (stands.lines, stands.seconds_left) == (("R 3", "2:05"), None)


def test_a_score_has_a_row_a_fighter(tmp_path: Path) -> None:
    (found,) = graphics(tmp_path, "score: [{fighter: sol, points: 10}, {fighter: ray, points: 9}]")

    assert found.lines == ("Sol", "10", "Ray", "9")
    assert found.colours == (titling.CORNERS["blue"], titling.CORNERS["red"])


@pytest.mark.parametrize(("where", "burned"), [("beside", False), ("burned", True), ("both", True)])
def test_a_caption_is_on_the_picture_where_the_film_says_so(tmp_path: Path, where: str, burned: bool) -> None:
    found = graphics(tmp_path, "caption: He jabs.", film=f"captions: {where}\n")

    assert found == ((Graphic("caption", ("He jabs.",), 0, 24),) if burned else ())


def test_a_burned_in_caption_ends_where_the_next_shot_begins_to_show(tmp_path: Path) -> None:
    made = duel(
        tmp_path,
        lettered("caption: He jabs."),
        ("title: A Duel\n", "title: A Duel\ncaptions: burned\n"),
        ("  - id: nod\n", "  - id: nod\n    transition: {kind: crossfade, frames: 8}\n"),
    )

    film = plan_film(made, Device(cores=1, host_bytes=0), here.settings(), backend="previz").timeline

    assert [graphic.stop for graphic in film.clips[0].graphics] == [16]
    assert [(each.start, each.stop) for each in captions(film)] == [(0, 16)]


@pytest.mark.parametrize(
    ("line", "place", "what", "remedy"),
    [
        ("lower_third: rya", "lower_third", "fighter 'rya' is not in the cast", "did you mean ray?"),
        (
            "score: [{fighter: bob, points: 3}]",
            "score[0] › fighter",
            "fighter 'bob' is not in the cast",
            "use one of ray, sol",
        ),
        (
            "title: {text: Late, at: 24}",
            "title › at",
            "frame 24 is beyond the shot, whose last is 23",
            "use at most 23",
        ),
        (
            "title: {text: Brief, length: 0}",
            "title › length",
            "it shows for no frame at all",
            "make it 1 frame at least",
        ),
        (
            "title: Bout 𓀀",
            "title",
            "'Bout 𓀀' has '𓀀' (U+13000), which no font has",
            "put a font that has it beside the shot list and name it in `fonts`",
        ),
    ],
)
def test_a_graphic_that_cannot_be_lettered_says_what_to_do(
    tmp_path: Path, line: str, place: str, what: str, remedy: str
) -> None:
    found = [(each.where, each.what, each.remedy) for each in problems(tmp_path, lettered(line))]

    assert found == [(f"shots › jab › {place}", what, remedy)]


def test_a_font_beside_the_shot_list_is_taken(tmp_path: Path) -> None:
    shutil.copy(str(files("undercard") / "assets" / "fonts" / "Oswald-SemiBold.ttf"), tmp_path / "mine.ttf")

    film = duel(tmp_path, ("title: A Duel\n", "title: A Duel\nfonts: [mine.ttf]\n"))

    assert film.fonts == ((tmp_path / "mine.ttf").resolve(),)


def test_a_file_that_is_no_font_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.ttf").write_bytes(b"no font")

    (found,) = problems(tmp_path, ("title: A Duel\n", "title: A Duel\nfonts: [mine.ttf]\n"))

    assert (found.what, found.remedy) == (
        "file 'mine.ttf' is no font that can be read",
        "give a TrueType or OpenType file",
    )

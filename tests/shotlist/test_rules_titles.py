"""What is lettered on shots: by whom it may be, when, and in which characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.shot_lists import problems

JAB = "  - id: jab\n    length: 24\n"
ANKH = "𓀀"
"""U+13000, an Egyptian hieroglyph, which no shipped font has."""


def told(folder: Path, *lines: str, length: str = "24", film: str = "") -> list[tuple[str, str, str]]:
    """Return what is wrong with the duel once *lines* are added to its first shot, which is of *length*."""
    shot = JAB.replace("24", length) + "".join(f"    {line}\n" for line in lines)
    found = problems(folder, (JAB, shot), ("title: A Duel\n", f"title: A Duel\n{film}"))
    return [(each.where.removeprefix("shots › jab › "), each.what, each.remedy) for each in found]


@pytest.mark.parametrize("field", ["title: {text: Ray", "lower_third: {fighter: ray"])
def test_a_graphic_may_come_on_the_last_frame_of_its_shot_and_no_later(tmp_path: Path, field: str) -> None:
    kind = field.partition(":")[0]

    assert told(tmp_path, f"{field}, at: 23}}") == []
    assert told(tmp_path, f"{field}, at: 1s}}") == [
        (f"{kind} › at", "frame 24 is beyond the shot, whose last is 23", "use at most 23")
    ]


def test_a_graphic_that_stays_for_no_frame_is_refused(tmp_path: Path) -> None:
    assert told(tmp_path, "lower_third: {fighter: ray, length: 0.01s}") == [
        ("lower_third › length", "it shows for no frame at all", "make it 1 frame at least")
    ]


def test_the_graphics_of_a_shot_of_no_length_are_not_complained_of_as_well(tmp_path: Path) -> None:
    assert [place for place, _, _ in told(tmp_path, "title: {text: Ray, at: 3}", length="0")] == ["length"]


def test_a_name_that_no_font_can_letter_is_told_where_it_is_lettered(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, ("name: Ray", f"name: Ray {ANKH}"), (JAB, f"{JAB}    lower_third: ray\n"))

    assert found.where == "shots › jab › lower_third"
    assert found.what == f"'Ray {ANKH}' has '{ANKH}' (U+13000), which no font has"


def test_a_name_that_is_not_lettered_may_have_any_character(tmp_path: Path) -> None:
    assert problems(tmp_path, ("name: Ray", f"name: Ray {ANKH}")) == ()


@pytest.mark.parametrize(("captions", "lettered"), [("beside", False), ("burned", True), ("both", True)])
def test_only_a_caption_on_the_picture_needs_a_font(tmp_path: Path, captions: str, *, lettered: bool) -> None:
    found = told(tmp_path, f"caption: The {ANKH}.", film=f"captions: {captions}\n")

    assert [place for place, _, _ in found] == (["caption"] if lettered else [])


def test_of_many_characters_four_are_named(tmp_path: Path) -> None:
    ((_, what, _),) = told(tmp_path, "title: " + "".join(chr(0x13000 + number) for number in range(6)))

    assert what.endswith("(U+13000), '𓀁' (U+13001), '𓀂' (U+13002), '𓀃' (U+13003), which no font has")

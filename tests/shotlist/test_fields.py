"""The kinds of value that a shot list holds: what is taken, what it becomes, and what is said of the rest."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from undercard.shotlist import fields
from undercard.shotlist.fields import Setting, nearest


def taken(kind: Any, value: object, folder: Path = Path(), fps: Fraction = Fraction(24)) -> Any:
    """Return what *value* becomes in a shot list in *folder*, for a field of *kind*."""
    return TypeAdapter(kind).validate_python(value, context=Setting(folder, fps))


def refused(kind: Any, value: object, folder: Path = Path()) -> tuple[str, str]:
    """Return what is wrong with *value*, and what to write instead."""
    with pytest.raises(ValidationError) as caught:
        taken(kind, value, folder)
    (error,) = caught.value.errors()
    return error["ctx"]["what"], error["ctx"]["remedy"]


@pytest.mark.parametrize(
    ("name", "known", "remedy"),
    [
        ("jabb", ["jab", "cross", "hook"], "did you mean jab?"),
        ("JABS", ["jab", "cross"], "did you mean jab?"),
        ("jabs", ["JAB", "CROSS"], "did you mean JAB?"),
        ("uppercut", ["jab", "cross"], "use one of jab, cross"),
        ("jab", [], "there is none yet: add one, or remove this"),
    ],
)
def test_what_to_write_in_place_of_an_unknown_name_is_the_nearest_or_all(
    name: str, known: list[str], remedy: str
) -> None:
    assert nearest(name, known) == remedy


@pytest.mark.parametrize(
    ("written", "colour"),
    [("gold", "#d0a02e"), ("Sky_Blue", "#5aa6e0"), ("#AABBCC", "#aabbcc"), ("#012345", "#012345")],
)
def test_a_colour_is_hexadecimal_in_small_letters_however_it_is_written(written: str, colour: str) -> None:
    assert taken(fields.Colour, written) == colour


@pytest.mark.parametrize("written", ["012345", "#12345", "##123456", "#12345g", "#1234567", "#١٢٣٤٥٦"])
def test_what_is_nearly_a_colour_is_refused(written: str) -> None:
    what, remedy = refused(fields.Colour, written)

    assert what == f"colour {written!r} is unknown"
    assert remedy.startswith('write "#rrggbb" or a name; ')


def test_line_ends_and_tabs_of_a_text_are_one_space_and_other_control_characters_are_refused() -> None:
    assert taken(fields.Text, "  He\tjabs\n\n and  ducks. ") == "He jabs and ducks."
    assert refused(fields.Text, "He\x07jabs") == (
        "text with control characters",
        "remove the characters that do not print",
    )


def test_seconds_are_counted_at_the_rate_of_the_film() -> None:
    assert taken(fields.Frames, "1001s", fps=Fraction(24000, 1001)) == 24000
    assert taken(fields.Frames, "0.5s", fps=Fraction(30)) == 15


def test_a_picture_of_more_than_fifty_million_pixels_is_refused(tmp_path: Path) -> None:
    Image.new("1", (10_001, 5_000)).save(tmp_path / "ray.png")
    Image.new("1", (10_000, 5_000)).save(tmp_path / "sol.png")

    assert refused(fields.Picture, "ray.png", tmp_path) == (
        "picture 'ray.png' has more than 50 megapixels",
        "scale it to 2048 pixels",
    )
    assert taken(fields.Picture, "sol.png", tmp_path) == (tmp_path / "sol.png").resolve()


@pytest.mark.parametrize("path", ["", "..", "sub/../../ray.png", "sub\\ray.png", "/ray.png", "ray\0.png"])
def test_a_path_that_may_leave_the_folder_is_refused_however_it_is_spelt(tmp_path: Path, path: str) -> None:
    assert refused(fields.Picture, path, tmp_path)[0] == f"path {path!r} leads outside the shot list's folder"


def test_links_in_a_ring_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")

    what, _ = refused(fields.Picture, "a.png", tmp_path)

    assert "'a.png'" in what

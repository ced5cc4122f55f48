from __future__ import annotations

import io
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from tests.film.footage import grey, saved
from undercard.film.sheet.contact_sheet import ANSWER, COLOURS, Cell, Status, contact_sheet, small_jpeg
from undercard.film.sheet.grid import best_grid
from undercard.film.sheet.text import drawable, font, shortened, wrapped


@pytest.fixture
def green(tmp_path: Path) -> Path:
    path = tmp_path / "green.png"
    Image.new("RGB", (160, 90), (10, 250, 10)).save(path)
    return path


def area(sheet: Image.Image, colour: tuple[int, int, int], tolerance: int = 6) -> float:
    """How much of *sheet* has *colour*, as a share."""
    difference = np.abs(np.asarray(sheet).astype(int) - colour).max(axis=2)
    return float((difference <= tolerance).mean())


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 24, 99, 500])
def test_a_sheet_of_any_number_of_cells_keeps_its_width_and_a_height_that_can_be_shown(green: Path, count: int) -> None:
    sheet = contact_sheet("Title Fight", [Cell(f"jab-{n}", green, "accepted", "take 1") for n in range(count)])

    assert sheet.mode == "RGB"
    assert sheet.width == 1600
    assert 300 < sheet.height <= 3 * 1600


def test_every_picture_is_on_the_sheet(tmp_path: Path) -> None:
    cells = []
    for number in range(12):
        path = saved(tmp_path / f"{number}.png", np.full((90, 160, 3), (250, number * 20, 120), np.uint8))
        cells.append(Cell(str(number), path, "accepted"))

    sheet = contact_sheet("Title Fight", cells, width=800)

    assert all(area(sheet, (250, number * 20, 120), 2) > 0.005 for number in range(12))


@pytest.mark.parametrize("status", get_args(Status))
def test_each_status_has_its_colour_on_the_sheet(green: Path, status: Status) -> None:
    counts = {
        s: area(contact_sheet("x", [Cell("jab", green, s)], width=600), rgb(COLOURS[status]), 2)
        for s in get_args(Status)
    }

    assert max(counts, key=lambda s: counts[s]) == status


def test_what_needs_review_is_framed_and_marked_in_a_colour_of_its_own(green: Path) -> None:
    review = contact_sheet("x", [Cell("jab", green, "needs review", "off by 40 px")])
    failed = contact_sheet("x", [Cell("jab", green, "failed", "off by 40 px")])

    colour = rgb(COLOURS["needs review"])
    assert area(review, colour) > area(failed, rgb(COLOURS["failed"])) > 0.01
    assert area(failed, colour) == 0


def test_rejected_takes_are_shown_below_in_red_with_what_was_done(green: Path) -> None:
    cells = [Cell(f"jab-{n}", green, "accepted", "take 2") for n in range(8)]
    rejected = [Cell(f"jab-{n} take 1", green, "failed", "burnt out", answer="new seed") for n in range(8)]

    plain = contact_sheet("x", cells)
    sheet = contact_sheet("x", cells, rejected=rejected)

    assert sheet.crop((0, 0, *plain.size)).tobytes() == plain.tobytes()
    below = sheet.crop((0, plain.height, *sheet.size))
    assert area(below, rgb(COLOURS["failed"])) > 0.01
    assert area(below, rgb(ANSWER), 2) > 0
    assert area(below, (10, 250, 10)) > 0.1


def test_there_is_room_for_any_number_of_rejected_takes(green: Path) -> None:
    plain = contact_sheet("x", [Cell("jab", green, "accepted")])

    sheet = contact_sheet("x", [Cell("jab", green, "accepted")], rejected=[Cell("jab", green, "failed")] * 300)

    assert sheet.height - plain.height <= 1.25 * sheet.width


def test_a_failed_cell_is_framed_in_red_and_tells_why(green: Path) -> None:
    fine = contact_sheet("x", [Cell("jab", green, "accepted", "blur: 12 is under 40")])
    failed = contact_sheet("x", [Cell("jab", green, "failed", "blur: 12 is under 40")])

    assert area(failed, rgb(COLOURS["failed"])) > 0.01 > area(fine, rgb(COLOURS["failed"]))
    assert area(failed, (255, 138, 128), 2) > 0


@pytest.mark.parametrize("content", [None, b"", b"not a picture"])
def test_a_picture_that_is_missing_or_broken_is_an_empty_frame(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "picture.png"
    if content is not None:
        path.write_bytes(content)

    with_path = contact_sheet("x", [Cell("jab", path, "failed")])
    without = contact_sheet("x", [Cell("jab", None, "failed")])

    assert with_path.size == without.size
    assert area(with_path, rgb("#1d1f23"), 1) > 0.3


def test_a_skipped_picture_is_dimmed(green: Path) -> None:
    sheet = contact_sheet("x", [Cell("jab", green, "skipped")])

    assert area(sheet, (10, 250, 10)) == 0


@pytest.mark.parametrize("size", [(90, 160), (400, 100), (1, 1000), (1000, 1)])
def test_pictures_of_any_shape_are_shown_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = grey(0, size)
    pixels[:, :, 1] = 250
    pixels[0], pixels[-1] = (250, 0, 250), (250, 0, 250)

    sheet = contact_sheet("x", [Cell("jab", saved(tmp_path / "a.png", pixels), "accepted")])

    assert sheet.height <= 3 * sheet.width
    assert area(sheet, (250, 0, 250), 120) > 0


def test_there_is_room_for_hundreds_of_cells_but_not_for_any_number() -> None:
    grid = best_grid(5000, 1600, 16 / 9, has_notes=True)

    assert 400 < grid.shown < 5000
    assert contact_sheet("x", [Cell("a", None, "skipped")] * grid.shown).height <= 4800


@pytest.mark.parametrize("title", ["", "x" * 900, "word " * 300, "Kováč × Öst — 映画 🥊 Ж\ud800\x00\n\u202e"])
def test_any_title_label_and_note_can_be_lettered(green: Path, title: str) -> None:
    sheet = contact_sheet(title, [Cell(title, green, "failed", title)] * 3, subtitle=title)

    assert sheet.width == 1600


def test_a_sheet_too_narrow_for_its_lettering_is_refused() -> None:
    with pytest.raises(ValueError, match="contact sheet of 100 px"):
        contact_sheet("x", [], width=100)


@pytest.mark.parametrize("limit", [180_000, 20_000, 1_000])
def test_a_small_jpeg_keeps_its_limit(limit: int) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (700, 900, 3), np.uint8))

    content = small_jpeg(noise, limit)

    assert len(content) <= limit
    assert Image.open(io.BytesIO(content)).format == "JPEG"


def test_a_jpeg_that_fits_keeps_every_pixel(green: Path) -> None:
    with Image.open(green) as picture:
        content = small_jpeg(picture)

    assert Image.open(io.BytesIO(content)).size == (160, 90)


def test_a_limit_that_no_jpeg_keeps_is_refused() -> None:
    with pytest.raises(ValueError, match="no JPEG fits in 10 bytes"):
        small_jpeg(Image.new("RGB", (50, 50)), 10)


def test_characters_that_the_font_lacks_have_stand_ins() -> None:
    assert drawable("Kováč × Öst — jab → cross\n½ · Ж") == "Kovac x Ost - jab > cross 1/2 · ?"


def test_a_text_that_is_too_long_ends_in_an_ellipsis_and_fits() -> None:
    short = shortened("the quick brown fox jumps", font(20), 120)

    assert short.endswith("…")
    assert font(20).getlength(short) <= 120


def test_a_note_breaks_between_words_and_its_last_line_is_cut() -> None:
    lines = wrapped("blur sharpness 12.4 is under the threshold of 40 after three takes", font(20), 200, 2)

    assert len(lines) == 2
    assert "blur sharpness 12.4 is under the threshold".startswith(lines[0])
    assert lines[1].endswith("…")
    assert all(font(20).getlength(line) <= 200 for line in lines)

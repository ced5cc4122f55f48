"""The contact sheet: a picture of each shot of a film, as strips of film on a dark table, and what was rejected."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from PIL import Image, ImageDraw

from undercard.errors import UnreadableImage
from undercard.film.base.stills import open_still
from undercard.film.sheet.grid import APPENDIX, Box, Grid, best_grid
from undercard.film.sheet.stamps import dot_stamp, hole_stamp
from undercard.film.sheet.text import Font, drawable, font, shortened, wrapped

Status: TypeAlias = Literal["accepted", "cached", "needs review", "failed", "skipped"]

TABLE = "#16171a"
FILM = "#08080a"
EDGE = "#303237"
GATE = "#1d1f23"
"""What an unexposed frame looks like."""
BRIGHT = "#f1efe9"
QUIET = "#8f9299"
AMBER = "#e0b357"
ANSWER = "#8fc7a4"
COLOURS: dict[Status, str] = {
    "accepted": "#6cc38a",
    "cached": "#6f9fd8",
    "needs review": "#c583ff",
    "failed": "#f0433a",
    "skipped": "#70737a",
}
FRAMED: tuple[Status, ...] = ("needs review", "failed")
"""What nobody should overlook."""
NOTES: dict[Status, str] = {"needs review": "#dcb5ff", "failed": "#ff8a80"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One frame of the sheet."""

    label: str
    picture: Path | None
    status: Status
    note: str = ""
    """A few words; the cause, when it failed."""
    remarkable: bool = False
    """The note is worth a look although nothing failed."""
    answer: str = ""
    """What was done about it, in a few words; on a line of its own."""


def contact_sheet(
    title: str, cells: Sequence[Cell], *, width: int = 1600, subtitle: str = "", rejected: Sequence[Cell] = ()
) -> Image.Image:
    """Return the contact sheet of *cells*: RGB, *width* px wide, at most three times as high.

    Cells grow smaller as they grow more; those for which there is no room are counted in the summary. A picture
    that is missing or cannot be decoded is an empty frame. What was *rejected* is shown below in smaller frames, on at
    most 1.2 times the width more.

    Args:
        title: the film's.
        cells: in the film's order.
        width: px; from 400.
        subtitle: a line under the title.
        rejected: pictures that were not good enough, with why and what was done.
    """
    if width < 400:
        raise ValueError(f"a contact sheet of {width} px has no room for its lettering; use at least 400")
    aspect = _aspect([*cells, *rejected])
    grid = best_grid(len(cells), width, aspect, has_notes=any(cell.note for cell in cells))
    sheet = Image.new("RGB", (width, grid.height), TABLE)
    draw = ImageDraw.Draw(sheet)
    _draw_heading(sheet, draw, grid, drawable(title), drawable(subtitle), cells)
    _draw_cells(sheet, draw, grid, cells)
    return _stacked(sheet, _appendix(rejected, width, aspect)) if rejected else sheet


def _appendix(cells: Sequence[Cell], width: int, aspect: float) -> Image.Image:
    """Return what goes below the sheet."""
    grid = best_grid(len(cells), width, aspect, has_notes=True, proportions=APPENDIX)
    sheet = Image.new("RGB", (width, grid.height), TABLE)
    draw = ImageDraw.Draw(sheet)
    face = font(max(14, round(26 * width / 1600)))
    more = f", {len(cells) - grid.shown} not shown" if grid.shown < len(cells) else ""
    heading = f"{len(cells)} rejected {'take' if len(cells) == 1 else 'takes'}{more}"
    draw.text((grid.margin, grid.top - round(0.014 * width)), heading, BRIGHT, face, "ls")
    _draw_cells(sheet, draw, grid, cells)
    return sheet


def _stacked(upper: Image.Image, lower: Image.Image) -> Image.Image:
    both = Image.new("RGB", (upper.width, upper.height + lower.height), TABLE)
    both.paste(upper, (0, 0))
    both.paste(lower, (0, upper.height))
    return both


def _draw_cells(sheet: Image.Image, draw: ImageDraw.ImageDraw, grid: Grid, cells: Sequence[Cell]) -> None:
    for row in range(grid.rows):
        _draw_strip(sheet, draw, grid, row)
    for index, cell in enumerate(cells[: grid.shown]):
        _draw_cell(sheet, draw, grid, index, cell)


def small_jpeg(image: Image.Image, limit_bytes: int = 180_000) -> bytes:
    """Return *image* as a JPEG of at most *limit_bytes*, for a data URI: first less quality, then fewer pixels.

    Raises:
        ValueError: not even a single pixel fits.
    """
    picture = image.convert("RGB")
    while True:
        for quality in (88, 80, 70, 60):
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=quality)
            if buffer.tell() <= limit_bytes:
                return buffer.getvalue()
        if picture.size == (1, 1):
            raise ValueError(f"no JPEG fits in {limit_bytes} bytes; allow at least 1000")
        smaller = max(1, picture.width * 4 // 5), max(1, picture.height * 4 // 5)
        picture = image.convert("RGB").resize(smaller, Image.Resampling.LANCZOS)


def _aspect(cells: Sequence[Cell]) -> float:
    """Return the shape that most pictures have, within what a sheet can show well; 16:9 where there are none."""
    shapes: Counter[float] = Counter()
    for cell in cells:
        if cell.picture is not None:
            try:
                with Image.open(cell.picture) as picture:
                    shapes[picture.width / picture.height] += 1
            except (OSError, Image.DecompressionBombError, SyntaxError):
                # It will be an empty frame.
                continue
    most = shapes.most_common(1)
    return min(2.6, max(0.6, most[0][0])) if most else 16 / 9


def _draw_heading(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    grid: Grid,
    title: str,
    subtitle: str,
    cells: Sequence[Cell],
) -> None:
    room = sheet.width - 2 * grid.margin
    unit = sheet.width / 1600
    largest, smallest = round(52 * unit), max(14, round(30 * unit))
    size = next((s for s in range(largest, smallest, -2) if font(s).getlength(title) <= room), smallest)
    draw.text((grid.margin, grid.margin + largest), shortened(title, font(size), room), BRIGHT, font(size), "ls")
    small = font(max(12, round(22 * unit)))
    line = grid.margin + round(96 * unit)
    end = _draw_summary(sheet, draw, (sheet.width - grid.margin, line), grid, cells, small)
    draw.text((grid.margin, line), shortened(subtitle, small, end - grid.margin - 40 * unit), QUIET, small, "ls")


def _draw_summary(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    grid: Grid,
    cells: Sequence[Cell],
    face: Font,
) -> int:
    """Draw the legend with its counts, ending at *corner*, and return where it begins."""
    counts = Counter(cell.status for cell in cells)
    words: list[tuple[Status | None, str]] = [
        (status, f"{counts[status]} {status}") for status in get_args(Status) if counts[status]
    ]
    if grid.shown < len(cells):
        words.append((None, f"{len(cells) - grid.shown} not shown"))
    right, line = corner
    height = int(face.getbbox("x")[3])
    for status, text in reversed(words):
        draw.text((right, line), text, BRIGHT if status in FRAMED else QUIET, face, "rs")
        right -= round(face.getlength(text))
        if status is not None:
            dot = dot_stamp(max(6, height // 2), COLOURS[status])
            right -= dot.width + height // 3
            sheet.paste(dot, (right, line - height // 2 - dot.height // 4), dot)
        right -= height
    return right


def _draw_strip(sheet: Image.Image, draw: ImageDraw.ImageDraw, grid: Grid, row: int) -> None:
    top = grid.place(row * grid.columns)[1] - grid.perforation
    # The last strip is cut off behind its last frame.
    frames = min(grid.columns, grid.shown - row * grid.columns)
    width = grid.strip_width(frames)
    right = grid.margin + width
    draw.rectangle((grid.margin, top, right, top + grid.strip_height), FILM)
    hole_height = max(4, grid.perforation * 11 // 20)
    hole = hole_stamp((round(hole_height * 1.3), hole_height))
    count = round(width / (hole.width * 2.1))
    step = width / count
    inset = (grid.perforation - hole.height) // 2
    for index in range(count):
        x = round(grid.margin + (index + 0.5) * step - hole.width / 2)
        for y in (top + inset, top + grid.strip_height - grid.perforation + inset + 1):
            sheet.paste(hole, (x, y), hole)


def _draw_cell(sheet: Image.Image, draw: ImageDraw.ImageDraw, grid: Grid, index: int, cell: Cell) -> None:
    box = grid.place(index)
    left, top, right, bottom = box
    _draw_picture(sheet, draw, box, cell)
    if cell.status in FRAMED:
        thick = max(3, grid.frame[0] // 70)
        colour = COLOURS[cell.status]
        draw.rectangle((left - thick, top - thick, right + thick - 1, bottom + thick - 1), None, colour, thick)
    if cell.status == "needs review":
        _draw_tab(draw, (left, top), "REVIEW", grid)
    face, small = font(grid.label_size), font(max(10, grid.label_size * 4 // 5))
    line = top - grid.perforation + grid.strip_height + round(grid.label_size * 1.35)
    dot = dot_stamp(max(6, grid.label_size // 2), COLOURS[cell.status])
    sheet.paste(dot, (left, line - grid.label_size * 2 // 5 - dot.height // 2 + 1), dot)
    indent = dot.width + grid.label_size // 2
    label = shortened(drawable(cell.label), face, grid.frame[0] - indent)
    draw.text((left + indent, line), label, QUIET if cell.status == "skipped" else BRIGHT, face, "ls")
    colour = NOTES.get(cell.status, AMBER if cell.remarkable else QUIET)
    lines = [(note, colour) for note in wrapped(drawable(cell.note), small, grid.frame[0], _lines(grid, cell))]
    if cell.answer and grid.note_lines > 1:
        lines.append((shortened(drawable(cell.answer), small, grid.frame[0]), ANSWER))
    for text, ink in lines:
        line += round(grid.label_size * 1.2)
        draw.text((left, line), text, ink, small, "ls")


def _lines(grid: Grid, cell: Cell) -> int:
    """Return how many lines the note of *cell* may have."""
    return grid.note_lines - 1 if cell.answer and grid.note_lines > 1 else grid.note_lines


def _draw_tab(draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, grid: Grid) -> None:
    """Draw *text* on a tab in the upper left corner of a picture."""
    face = font(max(10, grid.label_size * 4 // 5))
    width, height = round(face.getlength(text)) + grid.label_size, round(grid.label_size * 1.4)
    draw.rectangle((*corner, corner[0] + width, corner[1] + height), COLOURS["needs review"])
    draw.text((corner[0] + width / 2, corner[1] + height / 2), text, TABLE, face, "mm")


def _draw_picture(sheet: Image.Image, draw: ImageDraw.ImageDraw, box: Box, cell: Cell) -> None:
    """Draw the picture whole and centred in *box*, or the empty frame."""
    left, top, right, bottom = box
    draw.rectangle((left, top, right - 1, bottom - 1), GATE)
    why = "no picture"
    if cell.picture is not None:
        try:
            picture = open_still(cell.picture)
        except UnreadableImage:
            why = "unreadable picture" if cell.picture.exists() else "picture is gone"
        else:
            scale = min((right - left) / picture.width, (bottom - top) / picture.height)
            size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
            picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
            if cell.status == "skipped":
                picture = Image.blend(picture, Image.new("RGB", size, GATE), 0.6)
            sheet.paste(picture, ((left + right - size[0]) // 2, (top + bottom - size[1]) // 2))
            # Without an edge a dark picture runs into the film.
            draw.rectangle((left - 1, top - 1, right, bottom), None, EDGE)
            return
    draw.line((left, top, right - 1, bottom - 1), "#2b2e34", 1)
    draw.line((left, bottom - 1, right - 1, top), "#2b2e34", 1)
    face = font(min(18, max(10, (right - left) // 14)))
    text = shortened(why, face, right - left - 8)
    middle = (left + right) // 2, (top + bottom) // 2
    half = face.getlength(text) / 2 + 8
    draw.rectangle(
        (middle[0] - half, middle[1] - face.getbbox("x")[3], middle[0] + half, middle[1] + face.getbbox("x")[3]), GATE
    )
    draw.text(middle, text, QUIET, face, "mm")

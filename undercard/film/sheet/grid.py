"""Where the frames of a contact sheet lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from undercard.domain.requests import Size

Box: TypeAlias = tuple[int, int, int, int]
"""(left, top, right, bottom) px."""

MAX_COLUMNS = 14
"""At 1600 px that leaves frames of 107 px, in which a fighter can still be told."""
MAX_SHAPE = 3.0
"""Height of the sheet over its width, at most."""
GOOD_SHAPE = 0.8
"""Height over width that fills a screen and still reads on a page."""


@dataclass(frozen=True, slots=True)
class Proportions:
    """What a grid strives for."""

    shape: float = GOOD_SHAPE
    """Height over width."""
    most_shape: float = MAX_SHAPE
    top: float = 0.1
    """Height of the heading over the width, its margin apart."""
    least_columns: int = 1
    most_columns: int = MAX_COLUMNS
    note_lines: int = 2


SHEET = Proportions()
APPENDIX = Proportions(shape=0.25, most_shape=1.2, top=0.03, least_columns=6, most_columns=7, note_lines=3)
"""Of what is shown below the sheet, in smaller frames with more to say."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of frames under a heading; all lengths in px."""

    columns: int
    shown: int
    """How many cells there is room for."""
    frame: Size
    gap: int
    margin: int
    top: int
    """Where the first row begins, below the heading."""
    perforation: int
    """Height of the band above and below the pictures."""
    label_size: int
    note_lines: int

    @property
    def strip_height(self) -> int:
        """Height of a strip of film."""
        return self.frame[1] + 2 * self.perforation

    @property
    def row_height(self) -> int:
        """Height of a strip with its lettering and the space to the next."""
        return self.strip_height + round(self.label_size * (2.7 + 1.2 * self.note_lines))

    @property
    def rows(self) -> int:
        """Number of strips."""
        return -(-self.shown // self.columns)

    @property
    def height(self) -> int:
        """Height of the whole sheet."""
        return self.top + self.rows * self.row_height + self.margin // 2

    def strip_width(self, frames: int) -> int:
        """Return the width of a strip of film of *frames* frames."""
        return frames * (self.frame[0] + self.gap) + self.gap

    def place(self, index: int) -> Box:
        """Return where the picture of cell *index* goes."""
        row, column = divmod(index, self.columns)
        left = self.margin + self.gap + column * (self.frame[0] + self.gap)
        top = self.top + row * self.row_height + self.perforation
        return left, top, left + self.frame[0], top + self.frame[1]


def best_grid(count: int, width: int, aspect: float, *, has_notes: bool, proportions: Proportions = SHEET) -> Grid:
    """Return the grid that shows most of *count* cells and, of those that show as many, has the best shape.

    Args:
        count: number of cells.
        width: of the sheet, px.
        aspect: width over height of a frame.
        has_notes: leave room for a note under each label.
        proportions: of the grid.
    """
    wanted = max(1, count)
    least = proportions.least_columns
    most = max(least, min(wanted, proportions.most_columns))
    lines = proportions.note_lines if has_notes else 0
    grids = [_grid(columns, wanted, width, aspect, lines, proportions) for columns in range(least, most + 1)]

    def fault(grid: Grid) -> tuple[int, float]:
        empty = (grid.rows * grid.columns - grid.shown) / grid.columns
        return wanted - grid.shown, abs(grid.height / width - proportions.shape) + 0.1 * empty

    return min(grids, key=fault)


def _grid(columns: int, count: int, width: int, aspect: float, lines: int, proportions: Proportions) -> Grid:
    margin = width // 32
    room = width - 2 * margin
    gap = max(5, room // (columns * 36))
    frame_width = (room - (columns + 1) * gap) // columns
    grid = Grid(
        columns=columns,
        shown=count,
        frame=(frame_width, max(1, round(frame_width / aspect))),
        gap=gap,
        # What the division left over goes to both sides.
        margin=(width - columns * (frame_width + gap) - gap) // 2,
        top=margin + round(width * proportions.top),
        perforation=min(26, max(8, frame_width // 12)),
        label_size=min(20, max(11, frame_width // 15)),
        note_lines=lines if frame_width >= 150 else min(lines, 1),
    )
    rows = max(1, int((proportions.most_shape * width - grid.top - margin) // grid.row_height))
    return replace(grid, shown=min(count, rows * columns))

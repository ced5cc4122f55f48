"""Where each graphic lies, on a frame of 1000 × 500 px, whose shares can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.film.footage import grey
from undercard.film.base.pixels import Pixels
from undercard.film.lettering import graphic_design
from undercard.film.lettering.layer import Layer

SIZE = (1000, 500)
RED, BLUE = "#c8141c", "#2a53d6"
INK, PAPER, GOLD = (12, 13, 16), (246, 243, 234), (217, 178, 95)


def laid(layer: Layer, level: int = 100) -> Pixels:
    return layer.cut_out().over(grey(level, SIZE))


def extent(marked: np.ndarray) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is *marked*, px."""
    rows, columns = np.nonzero(marked)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def coloured(frame: Pixels, colour: tuple[int, int, int]) -> np.ndarray:
    """Return where *frame* has *colour*, give or take a level."""
    return np.asarray((np.abs(frame.astype(int) - colour) <= 1).all(axis=2))


def touched(frame: Pixels) -> tuple[int, int, int, int]:
    return extent((frame != 100).any(axis=2))


def test_a_title_darkens_the_whole_picture_by_45_percent() -> None:
    frame = laid(graphic_design.title(SIZE, ("The Duel",), (), ()), level=200)

    # 0.55 of 200, and 0.45 of ink.
    assert frame[0, 0].tolist() == frame[-1, -1].tolist() == [115, 116, 117]


def test_a_title_has_a_gold_rule_between_its_two_lines_and_none_with_one() -> None:
    both, alone = (
        laid(graphic_design.title(SIZE, lines, (), ())) for lines in (("The Duel", "at dawn"), ("The Duel", ""))
    )

    left, top, right, _ = extent(coloured(both, GOLD))
    assert (top, left + right) == (300, SIZE[0])
    # 0.6 % of the height is 3 px, as wide as the line above it.
    above = extent(coloured(both[:299], PAPER))
    assert coloured(both, GOLD)[300:303, 500].all()
    assert not coloured(both, GOLD)[303, left]
    assert (left, right) == pytest.approx((above[0], above[2]), abs=8)
    assert not coloured(alone, GOLD).any()


def test_a_lower_third_begins_at_the_safe_margin_with_a_bar_in_the_corners_colour() -> None:
    frame = laid(graphic_design.lower_third(SIZE, ("Ray", "Challenger"), (RED,), ()))

    left, top, right, bottom = touched(frame)
    # 5 % from the left; it ends at 80 % of the height, and is two pads of 2.8 % and 12.5 % high.
    assert (left, bottom - top, bottom) == (50, round(500 * (0.125 + 2 * 0.028)) + 1, 400)
    assert right < 600
    # The bar is 1.2 % of the width.
    assert extent(coloured(frame, (0xC8, 0x14, 0x1C)))[::2] == (50, 62)


def test_a_lower_third_without_a_note_is_lower_and_ends_on_the_same_line() -> None:
    noted, plain = (
        touched(laid(graphic_design.lower_third(SIZE, lines, (RED,), ()))) for lines in (("Ray", "x"), ("Ray", ""))
    )

    assert plain[3] == noted[3] == 400
    assert plain[1] > noted[1]


def test_a_long_name_keeps_to_the_left_sixty_percent() -> None:
    frame = laid(graphic_design.lower_third(SIZE, ("Maximiliano Alejandro Castellano de la Cruz", ""), (RED,), ()))

    assert touched(frame)[2] <= 600


def test_a_clock_ends_at_the_safe_corner_and_does_not_move_with_its_figures() -> None:
    narrow, wide = (touched(laid(graphic_design.clock(SIZE, ("ROUND 1", time), (), ()))) for time in ("1:11", "3:00"))

    assert narrow == wide
    # 5 % from the top and from the right, and 8.6 % high.
    assert narrow[1:] == (25, 950, 68)


def test_each_row_of_a_score_has_the_bar_of_its_fighter() -> None:
    frame = laid(graphic_design.score(SIZE, ("Ray", "10", "Sol", "9"), (RED, BLUE), ()))

    # Two rows of 7.8 %, the lower one down to 80 %.
    assert touched(frame)[1::2] == (322, 400)
    assert extent(coloured(frame, (0xC8, 0x14, 0x1C)))[1::2] == (322, 361)
    assert extent(coloured(frame, (0x2A, 0x53, 0xD6)))[1::2] == (361, 400)


def test_a_caption_of_two_lines_grows_upwards_and_stays_in_the_middle() -> None:
    short = laid(graphic_design.caption(SIZE, ("He is down.",), (), ()))
    long = laid(graphic_design.caption(SIZE, ("He is down, and the referee counts " * 2,), (), ()))

    one, two = touched(short), touched(long)
    assert one[3] <= 475
    assert two[3] == pytest.approx(one[3], abs=8)
    # A line is 1.3 times its type of 5.8 %.
    assert one[1] - two[1] == pytest.approx(1.3 * 29, abs=8)
    for left, _, right, _ in (one, two):
        assert (left + right) / 2 == pytest.approx(500, abs=3)
        assert right - left <= 770


def test_a_caption_can_be_read_on_white() -> None:
    frame = laid(graphic_design.caption(SIZE, ("He is down.",), (), ()), level=255)

    # Its halo darkens what lies round about the letters.
    assert (frame.max(axis=2) < 90).sum() > 300

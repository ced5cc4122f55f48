from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks.engine_plot import LIMIT_BYTES, all_series, draw, spread, write
from benchmarks.engine_rows import TODAY
from tests.benchmarks.planted import results

HEIGHTS = st.lists(st.floats(0, 1), min_size=1, max_size=10)


@given(HEIGHTS)
def test_labels_are_never_closer_than_the_gap(wanted: list[float]) -> None:
    placed = sorted(spread(wanted, 0.05))

    assert all(high - low >= 0.05 - 1e-9 for low, high in pairwise(placed))


@given(HEIGHTS)
def test_labels_keep_the_order_of_their_lines(wanted: list[float]) -> None:
    placed = spread(wanted, 0.05)

    assert sorted(range(len(wanted)), key=lambda n: placed[n]) == sorted(range(len(wanted)), key=lambda n: wanted[n])


@given(HEIGHTS)
def test_no_label_is_below_the_floor(wanted: list[float]) -> None:
    assert min(spread(wanted, 0.05, floor=0.03)) >= 0.03


def test_labels_with_room_stay_where_they_are() -> None:
    assert spread([0.1, 0.5, 0.9], 0.05) == [0.1, 0.5, 0.9]


def test_two_labels_that_meet_give_way_alike() -> None:
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])


def test_the_picture_is_small_enough_for_the_readme(tmp_path: Path) -> None:
    path = tmp_path / "engine.png"

    write(draw(results()), path)

    assert path.stat().st_size <= LIMIT_BYTES
    assert Image.open(path).size == (1600, 864)


def test_every_mode_and_rung_is_named_in_the_picture() -> None:
    figure = draw(results())

    texts = {text.get_text() for text in figure.axes[0].texts}
    assert texts >= {*TODAY.values(), "undercard bf16, exact", "undercard fp8", "undercard nf4"}


def test_a_mode_that_ran_on_the_whole_card_stands_where_it_would_just_fit() -> None:
    resident = next(line for line in all_series(results(), 1) if line.label == TODAY["resident"])

    assert resident.points == ((47.6, 2.02),)


def test_a_rung_that_ran_out_of_memory_has_no_point_there() -> None:
    caps = {cap for line in all_series(results(), 1) if line.label == TODAY["resident"] for cap, _ in line.points}

    assert 24.0 not in caps


def test_nothing_measured_is_an_error_and_not_an_empty_picture() -> None:
    with pytest.raises(ValueError, match="3 references"):
        draw(results(), references=3)

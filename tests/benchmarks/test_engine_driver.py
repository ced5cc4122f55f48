from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from benchmarks.engine import Driver, TimeIsUp, measure_rung, measure_today, slug
from benchmarks.engine_rows import Row, load
from tests.benchmarks.planted import CAPS, results, row


class Card:
    """Stands in for the driver: says what fits, and remembers what it was asked."""

    def __init__(self, needs_gb: float, *, broken: bool = False) -> None:
        self.needs_gb = needs_gb
        self.broken = broken
        self.asked: list[float | None] = []

    def rows(self, name: str, caps_gb: Sequence[float | None], references: Sequence[int]) -> list[Row]:
        self.asked += caps_gb
        return [row for cap_gb in caps_gb for row in self._rows(name, cap_gb, references)]

    def _rows(self, name: str, cap_gb: float | None, references: Sequence[int]) -> list[Row]:
        if self.broken:
            return [Row(rung=name, cap_gb=cap_gb, references=count, note="failed: a bug") for count in references]
        if cap_gb is not None and cap_gb < self.needs_gb:
            return [Row(rung=name, cap_gb=cap_gb, references=count, out_of_memory=True) for count in references]
        return [row(name, cap_gb, 0.5, count) for count in references]


@pytest.mark.parametrize(
    ("mode", "needs_gb", "asked"),
    [
        ("resident", 47.0, [None, 24.0]),
        ("resident", 11.0, [None, 24.0, 16.0, 12.0, 10.0]),
        ("group-offload", 2.5, [3.0, 8.0]),
        ("group-offload", 5.0, [3.0, 6.0, 8.0]),
        ("sequential", 11.0, [3.0, 6.0, 8.0, 10.0, 12.0]),
    ],
)
def test_a_mode_of_diffusers_is_measured_only_where_its_figures_change(
    mode: str, needs_gb: float, asked: list[float | None]
) -> None:
    card = Card(needs_gb)

    measure_today(cast("Driver", card), mode, CAPS, [1, 2])

    assert card.asked == asked


def test_a_mode_that_fails_is_not_tried_under_the_other_caps() -> None:
    card = Card(1.0, broken=True)

    measure_today(cast("Driver", card), "sequential", CAPS, [1])

    assert card.asked == [3.0]


def test_a_rung_of_ours_is_measured_under_every_cap() -> None:
    card = Card(7.0)

    measure_rung(cast("Driver", card), "bf16", (3.0, 10.0, None), [1, 2])

    assert card.asked == [3.0, 10.0, None]


def driver(tmp_path: Path, seconds: float) -> Driver:
    return Driver(results(), tmp_path / "engine.json", tmp_path, time.monotonic() + seconds)


def test_what_was_measured_before_is_not_measured_again(tmp_path: Path) -> None:
    rows = driver(tmp_path, 0.0).rows("bf16", [10.0], [1])

    assert rows == [results().row("bf16", 10.0, 1)]


def test_nothing_is_started_when_the_time_is_up(tmp_path: Path) -> None:
    with pytest.raises(TimeIsUp):
        driver(tmp_path, 5.0).rows("bf16", [10.0], [2])


def test_a_process_that_fails_leaves_a_row_that_says_why(tmp_path: Path) -> None:
    rows = driver(tmp_path, 120.0).rows("no-such-rung", [10.0], [1])

    assert rows[0].note.startswith("failed: ValueError: 'no-such-rung' is no mode and no rung")
    assert load(tmp_path / "engine.json").row("no-such-rung", 10.0, 1) == rows[0]


@pytest.mark.parametrize(
    ("gpu", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", "rtx-3060-laptop-gpu"),
        ("cpu", "cpu"),
    ],
)
def test_results_are_named_for_the_card(gpu: str, name: str) -> None:
    assert slug(gpu) == name

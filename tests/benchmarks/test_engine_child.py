from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import engine_child
from tests.benchmarks.planted import row


@pytest.fixture(autouse=True)
def planted_rungs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_child, "OURS", "tests.benchmarks.planted_rungs")


def test_a_rung_of_ours_gives_the_rows_that_it_measured() -> None:
    rows = list(engine_child.measure("bf16", 8.0, [1, 2], Path()))

    assert rows == [row("bf16", 8.0, 0.3, 1), row("bf16", 8.0, 0.3, 2)]


def test_a_rung_that_runs_out_of_memory_gives_a_row_that_says_so() -> None:
    (measured,) = engine_child.measure("bf16", 3.0, [1], Path())

    assert measured.key == ("bf16", 3.0, 1)
    assert measured.out_of_memory
    assert measured.note == "the decode asked for 1.7 GB of the 1.2 GB left"


def test_without_rungs_of_ours_only_the_modes_of_diffusers_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_child, "OURS", "tests.benchmarks.not_written_yet")

    with pytest.raises(ValueError, match=r"use one of resident, model-offload, group-offload, sequential$"):
        next(engine_child.measure("bf16", 8.0, [1], Path()))

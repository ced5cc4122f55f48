from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import engine_child
from tests.benchmarks import planted_rungs
from tests.benchmarks.planted import row


@pytest.fixture(autouse=True)
def rungs_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_child, "engine_ours", planted_rungs)


def test_a_rung_of_ours_gives_a_row_for_each_cap_and_number_of_references() -> None:
    rows = list(engine_child.measure("bf16", [8.0, None], [1, 2], Path()))

    assert [row.key for row in rows] == [("bf16", 8.0, 1), ("bf16", 8.0, 2), ("bf16", None, 1), ("bf16", None, 2)]
    assert [row.out_of_memory for row in rows] == [False, True, False, False]
    assert rows[0] == row("bf16", 8.0, 0.3, 1)


@pytest.mark.parametrize(("text", "gb"), [("10", 10.0), ("2.5", 2.5), ("all", None)])
def test_a_cap_is_in_gb_or_the_whole_card(text: str, gb: float | None) -> None:
    assert engine_child.cap(text) == gb


def test_what_is_no_mode_and_no_rung_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"use one of resident, model-offload, group-offload, sequential, bf16$"):
        next(engine_child.measure("bf17", [8.0], [1], Path()))

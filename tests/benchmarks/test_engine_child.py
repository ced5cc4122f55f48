from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import engine_child
from tests.benchmarks.planted import row


@pytest.fixture(autouse=True)
def planted_rungs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_child, "OURS", "tests.benchmarks.planted_rungs")


def test_a_rung_of_ours_gives_a_row_for_each_cap_and_number_of_references() -> None:
    rows = list(engine_child.measure("bf16", [8.0, None], [1, 2], Path()))

    assert [row.key for row in rows] == [("bf16", 8.0, 1), ("bf16", 8.0, 2), ("bf16", None, 1), ("bf16", None, 2)]
    assert [row.out_of_memory for row in rows] == [False, True, False, False]
    assert rows[0] == row("bf16", 8.0, 0.3, 1)


@pytest.mark.parametrize(("text", "gb"), [("10", 10.0), ("2.5", 2.5), ("all", None)])
def test_a_cap_is_in_gb_or_the_whole_card(text: str, gb: float | None) -> None:
    assert engine_child.cap(text) == gb


def test_without_rungs_of_ours_only_the_modes_of_diffusers_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_child, "OURS", "tests.benchmarks.not_written_yet")

    with pytest.raises(ValueError, match=r"use one of resident, model-offload, group-offload, sequential$"):
        next(engine_child.measure("bf16", [8.0], [1], Path()))

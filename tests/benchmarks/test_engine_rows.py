from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmarks.engine_rows import Row, load, save
from tests.benchmarks.planted import results, row


def test_results_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "engine.planted.json"

    save(results(), path)

    assert load(path) == results()


def test_a_row_measured_again_takes_the_place_of_the_old_one() -> None:
    before = results()

    after = before.with_rows([row("bf16", 10.0, 0.25)])

    measured = after.row("bf16", 10.0, 1)
    assert measured is not None
    assert measured.s_per_step == 0.25
    assert len(after.rows) == len(before.rows)


def test_a_row_of_another_number_of_references_is_another_row() -> None:
    after = results().with_rows([row("bf16", 10.0, 0.4, references=2)])

    assert len(after.rows) == len(results().rows) + 1


def test_a_file_with_a_field_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    save(results(), path)
    path.write_text(path.read_text("utf-8").replace('"s_per_step"', '"seconds_per_step"', 1), "utf-8")

    with pytest.raises(ValidationError, match="seconds_per_step"):
        load(path)


@pytest.mark.parametrize(
    ("measured", "settled"),
    [
        (Row(rung="bf16", cap_gb=3, references=1, s_per_keyframe=2.0), True),
        (Row(rung="bf16", cap_gb=3, references=1, out_of_memory=True), True),
        (Row(rung="bf16", cap_gb=3, references=1, note="failed: RuntimeError: a bug"), False),
    ],
)
def test_what_failed_for_another_reason_than_memory_is_measured_again(measured: Row, *, settled: bool) -> None:
    assert measured.settled is settled

from __future__ import annotations

import pytest

from benchmarks.engine_foresight import after, before
from benchmarks.engine_rows import Row
from tests.benchmarks.planted import results


def row(cap_gb: float, seconds: float, foretold: float, vram_gb: float = 2.0, foretold_gb: float = 2.0) -> Row:
    return Row(
        rung="bf16",
        cap_gb=cap_gb,
        references=1,
        s_per_keyframe=seconds,
        predicted_s=foretold,
        peak_vram_gb=vram_gb,
        predicted_vram_gb=foretold_gb,
    )


def test_what_is_off_by_one_factor_everywhere_is_right_after_one_run() -> None:
    found = results().model_copy(update={"rows": (row(3.0, 1.0, 0.8), row(10.0, 2.0, 1.6))})

    assert before(found).seconds == pytest.approx((-0.2, -0.2))
    assert after(found).seconds == pytest.approx((0.0, 0.0))


def test_what_is_misjudged_by_so_many_bytes_everywhere_is_right_after_one_run() -> None:
    found = results().model_copy(update={"rows": (row(3.0, 1, 1, 2.5, 2.0), row(10.0, 1, 1, 9.5, 9.0))})

    assert before(found).vram == pytest.approx((-0.2, -0.0526), abs=0.001)
    assert after(found).vram == pytest.approx((0.0, 0.0), abs=1e-6)


def test_rows_without_a_prediction_or_a_figure_count_for_nothing() -> None:
    failed = Row(rung="bf16", cap_gb=3.0, references=1, out_of_memory=True)
    theirs = Row(rung="resident", cap_gb=None, references=1, s_per_keyframe=2.0, peak_vram_gb=40.0)
    found = results().model_copy(update={"rows": (failed, theirs)})

    assert str(before(found)) == "seconds not measured; VRAM not measured"

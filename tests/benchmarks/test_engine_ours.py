from __future__ import annotations

from pathlib import Path

import pytest
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as published

from benchmarks import engine_ours, engine_weights
from undercard.models import weights
from undercard.models.weights import QUANTISED


@pytest.fixture(autouse=True)
def published_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the benchmark change diffusers' size of references, and settings, for this test alone."""
    monkeypatch.setattr(published, "VAE_IMAGE_SIZE", published.VAE_IMAGE_SIZE)
    monkeypatch.setattr(engine_ours, "KEYFRAMES", 1)
    for name in ("MODEL", "STEPS", *(weights.setting(backend).removeprefix("UNDERCARD_") for backend in QUANTISED)):
        # Known to monkeypatch, so that what the benchmark sets is gone after the test.
        monkeypatch.setenv(f"UNDERCARD_{name}", "")
        monkeypatch.delenv(f"UNDERCARD_{name}")


def test_our_rung_is_measured_from_its_first_image_to_its_steps(tmp_path: Path) -> None:
    engine_weights.write_checkpoint(tmp_path, tiny=True)

    row, second = engine_ours.measure_ours("bf16", [None], [1, 2], tmp_path)

    assert (row.references, second.references) == (1, 2)
    assert second.settled
    assert second.s_first_image is None
    assert row.settled
    assert row.exact
    assert row.s_first_image is not None
    assert row.s_per_keyframe is not None
    assert row.s_per_step is not None
    assert 0 < row.s_per_step < row.s_per_keyframe
    assert row.predicted_s is not None


def test_quantised_rungs_are_measured_with_their_error_against_bf16(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    engine_weights.write_checkpoint(checkpoint, tiny=True)

    rows = {name: next(engine_ours.measure_ours(name, [None], [1], checkpoint)) for name in ("bf16", *QUANTISED)}

    assert all(row.settled for row in rows.values())
    errors = {name: row.error for name, row in rows.items()}
    assert errors["bf16"] == 0
    assert errors["gguf"] is not None
    assert errors["fp8-lightning"] is not None
    assert 0 < errors["fp8-lightning"] < errors["gguf"] < 0.2
    assert errors["nunchaku"] is not None
    assert 0 < errors["nunchaku"] < 0.2


def test_without_bf16_to_compare_with_the_error_is_left_open(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    engine_weights.write_checkpoint(checkpoint, tiny=True)

    (row,) = engine_ours.measure_ours("int8", [None], [1], checkpoint)

    assert row.error is None

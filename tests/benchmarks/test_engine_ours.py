from __future__ import annotations

from pathlib import Path

import pytest
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as published

from benchmarks import engine_ours, engine_weights


@pytest.fixture(autouse=True)
def published_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the benchmark change diffusers' size of references for this test alone."""
    monkeypatch.setattr(published, "VAE_IMAGE_SIZE", published.VAE_IMAGE_SIZE)


def test_our_rung_is_measured_from_its_first_image_to_its_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_ours, "KEYFRAMES", 1)
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

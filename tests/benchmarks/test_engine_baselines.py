from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import engine_baselines
from benchmarks.engine_baselines import Bench, measure_baseline
from benchmarks.engine_weights import write_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("baseline")
    write_checkpoint(folder, tiny=True)
    return folder


@pytest.fixture(autouse=True)
def one_keyframe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_baselines, "ENOUGH_KEYFRAMES", 1)
    # Put back what the measured process would keep.
    monkeypatch.setattr("benchmarks.engine_baselines.published.VAE_IMAGE_SIZE", 1024 * 1024)


@pytest.mark.parametrize("mode", ["resident", "group-offload", "model-offload"])
def test_a_mode_gives_a_row_for_each_number_of_references(mode: str, checkpoint: Path) -> None:
    rows = list(measure_baseline(mode, 6.0, [1, 2], checkpoint))

    assert [(row.rung, row.cap_gb, row.references, row.exact) for row in rows] == [
        (mode, 6.0, 1, True),
        (mode, 6.0, 2, True),
    ]
    for row in rows:
        assert row.s_per_step is not None
        assert row.s_per_keyframe is not None
        # A keyframe is four steps and the VAE.
        assert 0 < 4 * row.s_per_step < 2 * row.s_per_keyframe
    assert rows[0].s_first_image is not None
    assert rows[1].s_first_image is None


def test_a_keyframe_of_fewer_steps_is_reckoned_up_to_four(checkpoint: Path) -> None:
    bench = engine_baselines._open("resident", checkpoint, tiled=False)
    bench.timed_steps = 2

    seconds = bench.keyframe(1)

    assert len(bench.steps.seconds) == 2
    assert seconds > 4 * min(bench.steps.seconds)


def test_memory_that_runs_out_with_two_references_leaves_the_row_of_one(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Bench.keyframe

    def keyframe(bench: Bench, references: int, steps: int | None = None) -> float:
        if references == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total of …")
        return real(bench, references, steps)

    monkeypatch.setattr(Bench, "keyframe", keyframe)

    one, two = measure_baseline("resident", 6.0, [1, 2], checkpoint)

    assert one.s_per_keyframe is not None
    assert (two.out_of_memory, two.note) == (True, "CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_an_unknown_mode_is_refused_by_its_name(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="'offload' is no mode"):
        next(measure_baseline("offload", None, [1], checkpoint))

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as published
from PIL import Image

from benchmarks import backends_child, engine_errors, quantised_weights
from benchmarks.backends_child import Marks, measure
from benchmarks.engine_weights import write_checkpoint
from tests.fakes.comfyui.server import VERSION, serving
from undercard.backends.comfy.server import memory
from undercard.backends.qwen.renderer import EngineRenderer
from undercard.domain.progress import Stage
from undercard.errors import OutOfMemory


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("backends") / "checkpoint"
    write_checkpoint(folder, text_encoder=True, tiny=True)
    quantised_weights.write(folder, "gguf")
    return folder


@pytest.fixture(autouse=True)
def one_warm_keyframe(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put back what the measured process would keep: the settings, and the size that references are brought to."""
    monkeypatch.setattr(backends_child, "KEYFRAMES", 1)
    monkeypatch.setattr(published, "VAE_IMAGE_SIZE", published.VAE_IMAGE_SIZE)
    monkeypatch.setattr(published, "CONDITION_IMAGE_SIZE", 56 * 56)
    before = dict(os.environ)
    os.environ["UNDERCARD_DEVICE"] = "cpu"
    yield
    os.environ.clear()
    os.environ.update(before)


def test_each_backend_is_compared_with_the_picture_of_bf16(checkpoint: Path) -> None:
    exact, offloaded, quantised = (measure(name, 10.0, 1, checkpoint) for name in ("bf16", "cpu-offload", "gguf"))

    for row in (exact, offloaded, quantised):
        assert row.settled
        assert row.s_per_step is not None
        assert row.s_per_keyframe is not None
        assert row.s_first_image is not None
        assert 0 < row.s_per_step < row.s_per_keyframe
        assert row.peak_host_gb
    assert [row.exact for row in (exact, offloaded, quantised)] == [True, True, False]
    assert [row.picture_error for row in (exact, offloaded)] == [0, 0]
    assert quantised.picture_error is not None
    assert 0 < quantised.picture_error < 0.3
    # What one step answers is only seen of the engine's own.
    assert offloaded.error is None
    assert quantised.error is not None


def test_a_backend_that_cannot_run_has_a_row_that_says_why(checkpoint: Path) -> None:
    row = measure("nunchaku-official", 10.0, 1, checkpoint)

    assert not row.settled
    assert "there is none" in row.note


def test_a_slow_keyframe_is_rendered_once(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends_child, "SLOW_SECONDS", 0.0)

    row = measure("cpu-offload", None, 1, checkpoint)

    assert "one keyframe, the first" in row.note
    assert row.s_per_step is not None
    assert row.s_first_image is not None
    assert row.s_per_keyframe is not None
    assert row.s_first_image > row.s_per_keyframe


def test_memory_that_runs_out_leaves_a_row_that_says_so(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def render(*_: object) -> None:
        raise OutOfMemory("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total of …", stage="denoise")

    monkeypatch.setattr(EngineRenderer, "render", render)

    row = measure("bf16", 10.0, 1, checkpoint)

    assert (row.out_of_memory, row.note) == (True, "CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_a_server_is_measured_through_what_it_tells(checkpoint: Path, tmp_path: Path) -> None:
    memory.forget()
    with serving(tmp_path) as server:
        server.behaviour.step_seconds = 0.02
        os.environ["UNDERCARD_COMFYUI"] = server.url

        row = measure("comfyui", 10.0, 1, checkpoint)

    memory.forget()
    # What it held and had rendered before is gone first.
    assert server.log[0] == "free"
    assert row.s_per_step is not None
    assert row.s_per_keyframe is not None
    assert 0.01 < row.s_per_step < row.s_per_keyframe
    assert row.peak_host_gb
    assert f"ComfyUI {VERSION}" in row.note
    # It has no bf16 to compare with.
    assert row.picture_error is None


def test_a_step_lasts_until_the_next_thing_that_is_told() -> None:
    said = [("encode", 0), ("denoise", 1), ("denoise", 2), ("denoise", 3), ("denoise", 4), ("decode", 0)]

    seconds = Marks([(Stage(name, step, 4), at) for (name, step), at in zip(said, (0, 1, 5, 6, 8, 11), strict=True)])

    assert seconds.steps() == [1, 2, 3]


def test_a_server_that_tells_of_the_last_step_twice_is_taken_at_its_first_word() -> None:
    said = [("denoise", 0), ("denoise", 2), ("denoise", 3), ("denoise", 4), ("denoise", 4), ("decode", 0)]

    seconds = Marks([(Stage(name, step, 4), at) for (name, step), at in zip(said, (0, 5, 6, 8, 11, 11), strict=True)])

    assert seconds.steps() == [1, 2, 3]


def test_a_pictures_error_is_relative_to_the_spread_of_its_pixels() -> None:
    exact = np.zeros((8, 8, 3), np.uint8)
    exact[:4] = 100
    other = exact + np.uint8(50)

    assert engine_errors.between(Image.fromarray(exact), Image.fromarray(exact)) == 0
    assert engine_errors.between(Image.fromarray(other), Image.fromarray(exact)) == pytest.approx(1.0)

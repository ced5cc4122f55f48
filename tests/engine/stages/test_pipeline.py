from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as edit_plus

from tests import here
from tests.engine.wholes import (
    Case,
    attach_tables,
    denoising,
    encode,
    render_whole,
    staged_pipeline,
    whole_pipeline,
)
from undercard.engine.stages import pipeline, schedule
from undercard.errors import OutOfMemory

Checkpoint = Callable[[str], Path]


@pytest.fixture(autouse=True)
def small_references(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let references be of 32×32 px, and of 56×56 for the text encoder."""
    monkeypatch.setattr(edit_plus, "VAE_IMAGE_SIZE", 32 * 32)
    monkeypatch.setattr(edit_plus, "CONDITION_IMAGE_SIZE", 56 * 56)


@pytest.fixture
def checkpoint(checkpoint_2511: Path, checkpoint_2509: Path) -> Checkpoint:
    return {"2511": checkpoint_2511, "2509": checkpoint_2509}.__getitem__


@pytest.mark.parametrize("model", ["2511", "2509"])
@pytest.mark.parametrize("guidance", [1.0, 4.0], ids=["plain", "guided"])
@pytest.mark.parametrize("references", [1, 2, 3])
def test_stages_with_tables_give_the_pixels_of_diffusers_called_whole(
    checkpoint: Checkpoint, model: str, references: int, guidance: float
) -> None:
    folder, case = checkpoint(model), Case(references=references, guidance=guidance)
    encode(folder, [case])
    staged = staged_pipeline(folder)
    tables = attach_tables(staged, case.steps)

    latents = pipeline.denoise(staged, denoising(case), tables)
    pipeline.save_latents(latents, "request", here.store())
    resumed = pipeline.load_latents("request", here.store())
    assert resumed is not None
    picture = pipeline.decode(staged_pipeline(folder), resumed, case.size)

    whole = render_whole(whole_pipeline(folder), case)
    assert np.abs(np.asarray(picture, dtype=int) - np.asarray(whole, dtype=int)).max() == 0


def test_eight_steps_in_portrait_give_the_pixels_of_diffusers_called_whole(checkpoint_2511: Path) -> None:
    case = Case(steps=8, size=(32, 64))
    encode(checkpoint_2511, [case])
    staged = staged_pipeline(checkpoint_2511)
    tables = attach_tables(staged, case.steps)

    picture = pipeline.decode(staged, pipeline.denoise(staged, denoising(case), tables), case.size)

    whole = render_whole(whole_pipeline(checkpoint_2511), case)
    assert np.array_equal(np.asarray(picture), np.asarray(whole))


@pytest.mark.parametrize("steps", [4, 8])
@pytest.mark.parametrize("size", [(32, 32), (32, 64)])
def test_the_transformer_sees_the_timesteps_that_the_schedule_foretells(
    checkpoint_2511: Path, steps: int, size: tuple[int, int]
) -> None:
    case = Case(steps=steps, size=size)
    encode(checkpoint_2511, [case])
    staged = staged_pipeline(checkpoint_2511)
    seen: list[float] = []
    staged.transformer.register_forward_pre_hook(
        lambda _module, _args, inputs: seen.append(inputs["timestep"].item()), with_kwargs=True
    )

    pipeline.denoise(staged, denoising(case))

    assert tuple(seen) == schedule.timesteps(steps)


def test_a_guided_step_is_announced_once_for_both_passes(checkpoint_2511: Path) -> None:
    case = Case(guidance=3.0)
    encode(checkpoint_2511, [case])
    staged = staged_pipeline(checkpoint_2511)
    seen: list[str] = []
    staged.transformer.register_forward_pre_hook(lambda *_: seen.append("pass"))

    pipeline.denoise(staged, denoising(case), before_step=lambda step: seen.append(f"step {step}"))

    assert seen == [
        *("step 0", "pass", "pass"),
        *("step 1", "pass", "pass"),
        *("step 2", "pass", "pass"),
        *("step 3", "pass", "pass"),
    ]


def test_tables_of_another_schedule_are_refused(checkpoint_2511: Path) -> None:
    case = Case(steps=4)
    encode(checkpoint_2511, [case])
    staged = staged_pipeline(checkpoint_2511)

    with pytest.raises(ValueError, match="cannot serve 4 steps"):
        pipeline.denoise(staged, denoising(case), attach_tables(staged, steps=8))


def test_a_size_that_is_no_multiple_of_sixteen_is_cut_from_the_middle_of_the_next(checkpoint_2511: Path) -> None:
    case, exact = Case(size=(28, 24)), Case(size=(32, 32))
    encode(checkpoint_2511, [case])
    staged = staged_pipeline(checkpoint_2511)
    latents = pipeline.denoise(staged, denoising(case))

    picture = pipeline.decode(staged, latents, case.size)

    canvas = pipeline.decode(staged, latents, exact.size)
    assert np.array_equal(np.asarray(picture), np.asarray(canvas)[4:28, 2:30])


def test_running_out_of_memory_while_denoising_names_the_stage(checkpoint_2511: Path) -> None:
    case = Case()
    encode(checkpoint_2511, [case])
    staged = staged_pipeline(checkpoint_2511)

    def run_out(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    staged.transformer.transformer_blocks[1].register_forward_pre_hook(run_out)

    with pytest.raises(OutOfMemory) as caught:
        pipeline.denoise(staged, denoising(case))

    assert caught.value.stage == "denoise"


def test_forgotten_latents_are_gone() -> None:
    pipeline.save_latents(torch.zeros(1, 16, 64), "request", here.store())

    pipeline.forget_latents("request", here.store())

    assert pipeline.load_latents("request", here.store()) is None

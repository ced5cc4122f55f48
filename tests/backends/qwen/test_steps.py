"""Eight steps and guidance: the pixels of diffusers with the same, and what they take."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from tests import here
from tests.backends.keyframes import render, request_of, told_of_pictures
from tests.backends.requests import DEVICE
from tests.engine.wholes import Case, render_whole
from tests.fakes import lora_files
from undercard import backends
from undercard.backends import Work

pytestmark = pytest.mark.usefixtures("qwen_on_the_processor")


def test_a_request_in_eight_steps_gives_the_pixels_of_diffusers_in_eight_and_the_next_in_four_those_in_four(
    qwen_on_the_processor: Path,
) -> None:
    request = request_of(Case())
    whole = told_of_pictures(qwen_on_the_processor)
    backend = backends.backend("bf16")

    with backend.open(
        DEVICE, backends.fastest("bf16", Work(request.size), DEVICE, here.settings()), here.settings()
    ) as opened:
        drawn = [opened.render(dataclasses.replace(request, steps=steps)).image for steps in (0, 8, 0, 8)]

    four, eight = (np.asarray(render_whole(whole, Case(steps=steps))) for steps in (4, 8))
    for picture, expected in zip(drawn, (four, eight, four, eight), strict=True):
        assert np.array_equal(np.asarray(picture), expected)


def test_eight_steps_take_the_lora_that_is_made_for_eight(
    qwen_on_the_processor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(Case())
    whole = told_of_pictures(qwen_on_the_processor)
    factors = lora_files.tensors(whole.transformer)
    files = {steps: tmp_path / f"Lightning-{steps}steps.safetensors" for steps in (4, 8)}
    save_file(factors, files[4])
    save_file({name: value * -1.5 if "up" in name else value for name, value in factors.items()}, files[8])
    monkeypatch.setenv("UNDERCARD_LORA", str(files[4]))
    backend = backends.backend("bf16")

    with backend.open(
        DEVICE, backends.fastest("bf16", Work(request.size), DEVICE, here.settings()), here.settings()
    ) as opened:
        drawn = [opened.render(dataclasses.replace(request, steps=steps)).image for steps in (0, 8, 0)]

    expected = []
    for steps in (4, 8):
        fused = told_of_pictures(qwen_on_the_processor)
        fused.load_lora_weights(files[steps])
        fused.fuse_lora()
        expected.append(np.asarray(render_whole(fused, Case(steps=steps))))
    assert np.array_equal(np.asarray(drawn[0]), expected[0])
    assert np.array_equal(np.asarray(drawn[1]), expected[1])
    assert np.array_equal(np.asarray(drawn[2]), expected[0])


def test_without_weights_for_eight_steps_a_request_is_drawn_as_ever(
    qwen_on_the_processor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file(
        lora_files.tensors(told_of_pictures(qwen_on_the_processor).transformer), tmp_path / "some-4steps.safetensors"
    )
    monkeypatch.setenv("UNDERCARD_LORA", str(tmp_path / "some-4steps.safetensors"))
    request = request_of(Case())

    assert "steps" not in backends.heeded("bf16", here.settings())
    asked = dataclasses.replace(request, steps=8)
    assert render("bf16", asked).image.tobytes() == render("bf16", request).image.tobytes()


@pytest.mark.parametrize("negative", ["blurred gloves", ""])
def test_guidance_gives_the_pixels_of_diffusers_with_true_cfg(
    qwen_on_the_processor: Path, monkeypatch: pytest.MonkeyPatch, negative: str
) -> None:
    case = Case(guidance=4.0, negative=negative or " ", references=2)
    request = dataclasses.replace(request_of(case), negative_prompt=negative)
    plain = render("bf16", request).image
    monkeypatch.setenv("UNDERCARD_GUIDANCE", "4")

    guided = render("bf16", request).image

    assert np.array_equal(np.asarray(guided), np.asarray(render_whole(told_of_pictures(qwen_on_the_processor), case)))
    assert not np.array_equal(np.asarray(guided), np.asarray(plain))
    offloaded = dataclasses.replace(request, seed=case.seed)
    assert render("cpu-offload", offloaded).image.tobytes() == guided.tobytes()

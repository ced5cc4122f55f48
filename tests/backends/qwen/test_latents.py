"""Latents are kept until they are decoded: after an out of memory, on another rung, and whole after tiles."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from tests import here
from tests.backends.keyframes import render, request_of
from tests.backends.requests import DEVICE
from tests.engine.wholes import Case
from undercard import backends
from undercard.backends import Work
from undercard.backends.qwen import renderer
from undercard.engine.stages import pipeline
from undercard.engine.stages.opening import Model
from undercard.errors import OutOfMemory
from undercard.models.fingerprint import recipe

pytestmark = pytest.mark.usefixtures("qwen_on_the_processor")


def test_latents_outlive_an_out_of_memory_of_the_decoder_and_give_the_same_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case()
    request = request_of(case)
    expected = render("bf16", request).image.tobytes()

    def run_out(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 5.80 GiB.")

    with monkeypatch.context() as broken:
        broken.setattr("undercard.engine.vae.vae.decode", run_out)
        with pytest.raises(OutOfMemory) as caught:
            render("bf16", request)
    assert caught.value.stage == "decode"
    monkeypatch.setattr(pipeline, "denoise", run_out)
    resumed = render("bf16", request)

    assert resumed.image.tobytes() == expected
    assert resumed.notes == ("decoded latents that an earlier attempt had kept",)
    assert pipeline.load_latents(request.key, here.store()) is None


def test_what_stands_in_for_an_exact_rung_decodes_the_latents_that_it_left(
    qwen_on_the_processor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case()
    backend = backends.backend("bf16")
    exact = dataclasses.replace(request_of(case), renderer=backends.renderer_name("bf16", here.settings(), exact=True))
    stand_in = dataclasses.replace(exact, renderer=backends.renderer_name("bf16", here.settings(), exact=False))
    rung = backends.fastest("bf16", Work(case.size), DEVICE, here.settings())

    def run_out(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 5.80 GiB.")

    with monkeypatch.context() as broken, backend.open(DEVICE, rung, here.settings()) as opened:
        broken.setattr("undercard.engine.vae.vae.decode", run_out)
        with pytest.raises(OutOfMemory):
            opened.render(exact)
    monkeypatch.setattr(pipeline, "denoise", run_out)
    with backend.open(DEVICE, dataclasses.replace(rung, exact=False), here.settings()) as opened:
        resumed = opened.render(stand_in)

    assert resumed.notes == ("decoded latents that an earlier attempt had kept",)
    assert resumed.image.size == case.size


def test_a_picture_in_tiles_says_so_and_is_decoded_whole_from_the_same_latents(
    qwen_on_the_processor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(Case(size=(64, 128)))
    whole = dataclasses.replace(request, whole=True)
    expected = render("bf16", request).image.tobytes()
    model = Model(qwen_on_the_processor, "bf16", 4, torch.device("cpu"), here.store())
    rung = dataclasses.replace(backends.fastest("bf16", Work(request.size), DEVICE, here.settings()), exact=False)

    with renderer.opened(model, rung, lambda steps: recipe("bf16", here.settings(), steps=steps)) as engine:
        engine.ready_model().pipeline.vae.free_bytes = lambda: 0
        tiled = engine.render(request)
        monkeypatch.setattr(pipeline, "denoise", lambda *_: pytest.fail("the latents were kept"))
        repaired = engine.render(whole)

    assert tiled.tiled
    assert not repaired.tiled
    assert repaired.image.tobytes() == expected
    assert pipeline.load_latents(request.key, here.store()) is None
    assert pipeline.load_latents(whole.key, here.store()) is None

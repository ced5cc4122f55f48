"""The pixels of Qwen-Image-Edit: those of diffusers, whole, with a LoRA, from disk, and close to them in fewer bits."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests import here
from tests.backends.keyframes import render, request_of, told_of_pictures
from tests.backends.requests import DEVICE
from tests.engine.wholes import Case, render_whole, whole_pipeline
from tests.fakes import lora_files
from undercard import backends
from undercard.backends import Work
from undercard.backends.qwen import renderer
from undercard.engine.stages.opening import Model
from undercard.engine.text import embeddings
from undercard.engine.text.embeddings import Embeddings, Wording
from undercard.errors import BackendError
from undercard.store import Store

pytestmark = pytest.mark.usefixtures("qwen_on_the_processor")


@pytest.mark.parametrize("references", [1, 2, 3])
def test_bf16_gives_the_pixels_of_diffusers_that_is_told_which_tokens_are_pictures(
    qwen_on_the_processor: Path, references: int
) -> None:
    case = Case(references=references)
    whole = told_of_pictures(qwen_on_the_processor)

    rendered = render("bf16", request_of(case))

    assert np.array_equal(np.asarray(rendered.image), np.asarray(render_whole(whole, case)))


def test_without_that_it_gives_the_pixels_of_diffusers_as_it_ships(qwen_on_the_processor: Path) -> None:
    case = Case(references=2)
    request = request_of(case)
    model = Model(qwen_on_the_processor, "packed", 4, torch.device("cpu"), here.store(), picture_positions=False)

    with renderer.opened(
        model, backends.fastest("bf16", Work(case.size), DEVICE, here.settings()), lambda _: ""
    ) as engine:
        rendered = engine.render(request)

    whole = render_whole(whole_pipeline(qwen_on_the_processor), case)
    assert np.array_equal(np.asarray(rendered.image), np.asarray(whole))


def test_a_lora_gives_the_pixels_of_diffusers_with_it_fused(
    qwen_on_the_processor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case()
    whole = told_of_pictures(qwen_on_the_processor)
    save_file(lora_files.tensors(whole.transformer), tmp_path / "lora.safetensors")
    plain = np.asarray(render("bf16", request_of(case)).image)
    monkeypatch.setenv("UNDERCARD_LORA", str(tmp_path / "lora.safetensors"))

    rendered = np.asarray(render("bf16", request_of(case)).image)

    whole.load_lora_weights(tmp_path / "lora.safetensors")
    whole.fuse_lora()
    assert np.array_equal(rendered, np.asarray(render_whole(whole, case)))
    assert not np.array_equal(rendered, plain)


@pytest.mark.parametrize("name", ["fp8", "int8", "nf4"])
def test_another_storage_format_gives_a_picture_close_to_the_exact_one(name: str) -> None:
    case = Case()

    picture, exact = (np.asarray(render(each, request_of(case)).image, dtype=float) for each in (name, "bf16"))

    assert 0 < np.abs(picture - exact).mean() < 12


def test_blocks_read_from_disk_at_each_step_give_the_same_pixels(qwen_on_the_processor: Path) -> None:
    request = request_of(Case())
    model = Model(qwen_on_the_processor, "packed", 4, torch.device("cpu"), here.store())
    rung = dataclasses.replace(backends.fastest("bf16", Work(request.size), DEVICE, here.settings()), from_disk=True)

    with renderer.opened(model, rung, lambda _: "") as engine:
        from_disk = engine.render(request).image.tobytes()

    assert from_disk == render("bf16", request).image.tobytes()


def test_a_prompt_is_encoded_once_for_all_requests_of_a_film(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case()
    requests = [request_of(Case(seed=seed)) for seed in (1, 2)]
    encoded: list[str] = []
    save = embeddings.save

    def note(made: Embeddings, wording: Wording, digest: str, store: Store) -> None:
        encoded.append(wording.prompt)
        save(made, wording, digest, store)

    monkeypatch.setattr(embeddings, "save", note)
    backend = backends.backend("bf16")

    with backend.open(
        DEVICE, backends.fastest("bf16", Work(case.size), DEVICE, here.settings()), here.settings()
    ) as opened:
        opened.encode(requests)
        pictures = [opened.render(request).image.tobytes() for request in requests]

    assert encoded == [case.prompt]
    assert pictures[0] != pictures[1]


def test_a_request_without_a_reference_says_what_to_give() -> None:
    with pytest.raises(BackendError, match="give it a reference"):
        render("bf16", request_of(Case(), []))

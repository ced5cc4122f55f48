"""What was fetched is what is rendered with, without a setting."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from tests import here
from tests.backends.keyframes import render, request_of, told_of_pictures
from tests.backends.requests import DEVICE
from tests.engine.wholes import Case, render_whole
from tests.fakes.hub_server import Published
from tests.models.conftest import fetched
from undercard import backends
from undercard.models import weights
from undercard.models.hub import Hub


@pytest.fixture
def on_the_processor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let backends compute on the processor, on small references."""
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as edit_plus

    monkeypatch.setenv("UNDERCARD_DEVICE", "cpu")
    monkeypatch.setattr(edit_plus, "VAE_IMAGE_SIZE", 32 * 32)
    monkeypatch.setattr(edit_plus, "CONDITION_IMAGE_SIZE", 56 * 56)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_after_fetching_a_backend_gives_the_pixels_of_diffusers_with_the_catalogues_lora_and_strength(
    published: Published, on_the_processor: None
) -> None:
    assert "run undercard provision --backend bf16" in str(
        backends.backend("bf16").unavailable(DEVICE, here.settings())
    )
    fetched(Hub(published.url, patience=()), "bf16")
    found = weights.of("bf16", here.settings())
    assert found is not None
    case = Case()

    rendered = np.asarray(render("bf16", request_of(case, case.pictures)).image)

    whole = told_of_pictures(found.folder)
    plain = np.asarray(render_whole(whole, case))
    whole.load_lora_weights(found.lora)
    whole.fuse_lora(lora_scale=0.5)
    assert np.array_equal(rendered, np.asarray(render_whole(whole, case)))
    assert not np.array_equal(rendered, plain)


def test_after_fetching_a_quantised_backend_renders_with_its_file_and_the_catalogues_lora(
    published: Published, on_the_processor: None
) -> None:
    fetched(Hub(published.url, patience=()), "gguf")
    found = weights.of("gguf", here.settings())
    assert found is not None
    assert found.transformer is not None
    assert not list((found.folder / "transformer").glob("*.safetensors"))
    case = Case()

    rendered = render("gguf", request_of(case, case.pictures))

    assert rendered.image.size == case.size
    assert backends.renderer_name("gguf", here.settings(), exact=False).endswith(" at 0.5 · gguf 1")

"""Other people's engines on a real card: the offloading that the processor has no need of."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests import here
from tests.backends.requests import request_of
from tests.engine.wholes import Case
from tests.fakes import lora_files, tiny
from undercard import backends
from undercard.backends import Rendered, Work
from undercard.domain.requests import RenderRequest
from undercard.hardware.probe import this_device

pytestmark = pytest.mark.gpu

CASE = Case(references=2, size=(256, 200))
WIDTH = 512
"""Four heads of the published 128 channels."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("qwen-image-edit"), dim=WIDTH)


@pytest.fixture
def request_on_card(model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RenderRequest]:
    monkeypatch.setenv("UNDERCARD_MODEL", str(model))
    yield request_of(CASE)
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def _render(name: str, request: RenderRequest) -> Rendered:
    device = this_device(here.settings())
    device = device.alone(device.gpus[0])
    with backends.backend(name).open(
        device, backends.fastest(name, Work(request.size), device, here.settings()), here.settings()
    ) as opened:
        return opened.render(request)


def test_sequential_offload_gives_the_pixels_of_the_engine(request_on_card: RenderRequest) -> None:
    offloaded, exact = (_render(name, request_on_card) for name in ("cpu-offload", "bf16"))

    assert offloaded.image.tobytes() == exact.image.tobytes()
    assert offloaded.peak_vram_bytes > 0


def test_sequential_offload_fuses_a_lora_to_the_bits_of_the_engine(
    request_on_card: RenderRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file(lora_files.tensors(tiny.transformer(WIDTH)), tmp_path / "lora.safetensors")
    monkeypatch.setenv("UNDERCARD_LORA", str(tmp_path / "lora.safetensors"))

    offloaded, exact = (_render(name, request_on_card) for name in ("cpu-offload", "bf16"))

    assert offloaded.image.tobytes() == exact.image.tobytes()


@pytest.mark.skipif(importlib.util.find_spec("diffsynth") is None, reason="pip install 'undercard[diffsynth]'")
def test_diffsynth_on_a_card_gives_a_picture_close_to_the_exact_one(
    model: Path, request_on_card: RenderRequest
) -> None:
    from tests.fakes import tiny_studio

    with tiny_studio.known(model, WIDTH):
        picture, exact = (
            np.asarray(_render(name, request_on_card).image, dtype=float) for name in ("diffsynth", "bf16")
        )

    assert 0 < np.abs(picture - exact).mean() < 12

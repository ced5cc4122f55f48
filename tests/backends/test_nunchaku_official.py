"""What surrounds nunchaku's transformer, with diffusers' own in its place: its kernels need a card."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from diffusers import QwenImageEditPlusPipeline, QwenImageTransformer2DModel
from transformers import Qwen2VLProcessor

from tests import here
from tests.backends.requests import render, request_of
from tests.engine.wholes import Case
from undercard.domain.canvas import middle
from undercard.engine.text import encoder


class Standin(QwenImageTransformer2DModel):  # type: ignore[misc]  # diffusers counts as Any
    """diffusers' transformer with the calls of nunchaku's."""

    asked: list[dict[str, object]]

    @classmethod
    def from_pretrained(cls, file: Path, **options: Any) -> Any:
        assert file.is_file()
        model = super().from_pretrained(file.parent, **options)
        model.asked = []
        return model

    def set_offload(self, offload: bool, **options: object) -> None:
        self.asked.append({"offload": offload, **options})


@pytest.fixture
def offloaded(monkeypatch: pytest.MonkeyPatch) -> list[QwenImageEditPlusPipeline]:
    """Plant a nunchaku with that transformer, and note the pipelines that are asked to offload."""
    planted = ModuleType("nunchaku")
    planted.NunchakuQwenImageTransformer2DModel = Standin  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nunchaku", planted)
    # Its environment has the torchvision that this loads videos with.
    monkeypatch.setattr(
        Qwen2VLProcessor, "from_pretrained", lambda folder, **_: encoder.open_processor(Path(folder).parent)
    )
    pipelines: list[QwenImageEditPlusPipeline] = []
    monkeypatch.setattr(
        QwenImageEditPlusPipeline, "enable_sequential_cpu_offload", lambda self, device: pipelines.append(self)
    )
    return pipelines


@pytest.mark.parametrize(("resident", "asked"), [(1, 1), (2, None)])
def test_it_offloads_as_nunchakus_examples_do_and_changes_no_other_pipeline(
    qwen_on_the_processor: Path, offloaded: list[QwenImageEditPlusPipeline], resident: int, asked: int | None
) -> None:
    from undercard.backends.vendors.nunchaku_model import Nunchaku

    file = next((qwen_on_the_processor / "transformer").glob("*.safetensors"))
    case = Case(references=2, size=(56, 40))
    request = request_of(case)
    before = list(QwenImageEditPlusPipeline._exclude_from_cpu_offload)

    with ExitStack() as resources:
        draw = Nunchaku(qwen_on_the_processor, file, 4, here.store(), resident).load(torch.device("cpu"), resources)
        picture = middle(draw(request), request.size)

    (whole,) = offloaded
    # Of the two blocks of the tiny model, all stay in the second case, and nothing is asked.
    options = {"offload": True, "use_pin_memory": False, "num_blocks_on_gpu": asked}
    assert whole.transformer.asked == ([options] if asked else [])
    assert "transformer" in whole._exclude_from_cpu_offload
    assert before == QwenImageEditPlusPipeline._exclude_from_cpu_offload
    # The transformer is the exact one here, and so is the picture.
    assert picture.tobytes() == render("bf16", request).image.tobytes()

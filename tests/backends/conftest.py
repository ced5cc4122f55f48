"""A tiny Qwen-Image-Edit, so that its backends run where there is no card."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from undercard.borrowed import operators

# Whatever imports transformers here would import a torchvision that stands beside it.
operators.declare_missing()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a tiny Qwen-Image-Edit-2511, once a session."""
    # Most backends' tests need neither torch nor diffusers.
    from tests.engine import tiny

    return tiny.build(tmp_path_factory.mktemp("qwen-image-edit"))


@pytest.fixture
def qwen_on_the_processor(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let the backends of Qwen-Image-Edit compute with the tiny model on the processor, on small references."""
    import torch
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as edit_plus

    monkeypatch.setenv("UNDERCARD_MODEL", str(tiny_model))
    monkeypatch.setenv("UNDERCARD_DEVICE", "cpu")
    monkeypatch.setattr(edit_plus, "VAE_IMAGE_SIZE", 32 * 32)
    monkeypatch.setattr(edit_plus, "CONDITION_IMAGE_SIZE", 56 * 56)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with _known_to_diffsynth(tiny_model):
        yield tiny_model
    torch.set_num_threads(threads)


def _known_to_diffsynth(folder: Path) -> AbstractContextManager[None]:
    """Let DiffSynth, where it is installed, take the model in *folder* for one of its own."""
    if importlib.util.find_spec("diffsynth") is None:
        return nullcontext()
    from tests.engine import tiny_studio

    return tiny_studio.known(folder)

"""A tiny Qwen-Image-Edit, whole and with its transformer in a quantised file: its backends run without a card."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from undercard.backends.vendors import operators

# Whatever imports transformers here would import a torchvision that stands beside it.
operators.declare_missing()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a tiny Qwen-Image-Edit-2511, once a session."""
    # Most backends' tests need neither torch nor diffusers.
    from tests.fakes import tiny

    return tiny.build(tmp_path_factory.mktemp("qwen-image-edit"))


@dataclass(frozen=True)
class Quantised:
    """A model whose transformer is in a file of its own."""

    folder: Path
    """Everything else: the text encoder, the autoencoder, the processor, the transformer's config."""
    file: Path


Quantise = Callable[[str], Quantised]
KINDS = {"gguf": "q4_k_m", "fp8-lightning": "lightx2v", "nunchaku": "svdq"}
"""Of tests/fakes/stored_files.py, by the backend that reads it."""


def quantised(whole: Path, folder: Path, kind: str) -> Quantised:
    """Write into *folder* what the model *whole* has beside its transformer, and a transformer of that *kind*."""
    from tests.fakes import stored_files

    for part in ("text_encoder", "vae", "processor"):
        shutil.copytree(whole / part, folder / "model" / part)
    made = folder / "model" / "transformer"
    made.mkdir()
    file = stored_files.build(made, kind)
    if file.parent == made:
        file = file.rename(folder / file.name)
    return Quantised(folder / "model", file)


@pytest.fixture(scope="session")
def quantised_models(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Quantise:
    """Return what gives the model with the file of a backend; each is written once a session."""
    made: dict[str, Quantised] = {}

    def model(backend: str) -> Quantised:
        if backend not in made:
            made[backend] = quantised(tiny_model, tmp_path_factory.mktemp(backend), KINDS[backend])
        return made[backend]

    return model


@pytest.fixture
def use_file_of(qwen_on_the_processor: Path, quantised_models: Quantise, monkeypatch: pytest.MonkeyPatch) -> Quantise:
    """Return what lets a backend compute on the processor with a file of its own."""
    from undercard.models import weights

    def use(backend: str) -> Quantised:
        model = quantised_models(backend)
        monkeypatch.setenv("UNDERCARD_MODEL", str(model.folder))
        monkeypatch.setenv(weights.setting(backend), str(model.file))
        return model

    return use


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
    from tests.fakes import tiny_studio

    return tiny_studio.known(folder)

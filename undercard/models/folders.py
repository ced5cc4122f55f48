"""A Qwen-Image-Edit in diffusers' layout, a folder with a part each: whether it is whole, and which edition."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from undercard.errors import BadCheckpoint
from undercard.models.catalogue import Edition, ModelSpec
from undercard.models.headers import safetensors_header
from undercard.models.layouts import QWEN_IMAGE

INDEX = "model_index.json"
TRANSFORMER = "transformer"
CONFIG = f"{TRANSFORMER}/config.json"
PARTS = (TRANSFORMER, "text_encoder", "vae", "processor")
WEIGHTED = (TRANSFORMER, "text_encoder", "vae")
"""Parts with weights; the others are descriptions."""
PIPELINE, MODEL = "QwenImageEditPlusPipeline", "QwenImageTransformer2DModel"
"""The classes of diffusers that 2509 and 2511 are of; the first Qwen-Image-Edit has another pipeline."""


def prove_folder(folder: Path, model: ModelSpec, *, without_transformer: bool = False) -> None:
    """Return once *folder* is known to hold all of *model*, as far as headers can tell.

    Args:
        folder: with `model_index.json` in it.
        model: of the layout `diffusers`.
        without_transformer: the transformer's weights are not needed, its configuration is.

    Raises:
        BadCheckpoint: a part or a file is missing or cut short, or it is another model.
    """
    edition = edition_of(folder)
    if edition != model.edition:
        raise BadCheckpoint(f"{folder} is not {model.title}: it is configured as Edit-{edition}")
    if lacking := [part for part in PARTS if not any((folder / part).glob("*.json"))]:
        raise BadCheckpoint(f"{folder} is not whole: it has no {', '.join(lacking)}")
    blocks = _json(folder / CONFIG).get("num_layers")
    if model.blocks and blocks != model.blocks:
        raise BadCheckpoint(f"{folder} is not {model.title}: its transformer has {blocks} of {model.blocks} blocks")
    for part in WEIGHTED:
        if part != TRANSFORMER or not without_transformer:
            _prove_weights(folder / part)


def edition_of(folder: Path) -> Edition:
    """Return the edition that *folder* is configured as.

    Raises:
        BadCheckpoint: it is no Qwen-Image-Edit of those that edit several pictures, or cannot be read.
    """
    config = _json(folder / CONFIG)
    found = config.get("_class_name")
    if (folder / INDEX).is_file() and found == MODEL:
        found = _json(folder / INDEX).get("_class_name")
    if found not in {PIPELINE, MODEL}:
        raise BadCheckpoint(f"{folder} holds another model: it is configured as {found}, not {PIPELINE}")
    # Of the two, only 2511 sets references apart by their timestep.
    return "2511" if config.get("zero_cond_t") else "2509"


def _prove_weights(folder: Path) -> None:
    indices = sorted(folder.glob("*.safetensors.index.json"))
    files = sorted(folder.glob("*.safetensors"))
    placed: dict[str, str] = _json(indices[0]).get("weight_map", {}) if indices else {}
    names = sorted(set(placed.values())) or [file.name for file in files]
    if lacking := [name for name in names if not (folder / name).is_file()]:
        raise BadCheckpoint(f"{folder} is not whole: it lacks {', '.join(lacking)}")
    if not names:
        raise BadCheckpoint(f"{folder} is not whole: it has no safetensors file")
    found = dict(_tensors(folder, names))
    for tensor, name in placed.items():
        if found.get(tensor) != name:
            raise BadCheckpoint(f"{folder / name} is not what its index says: it lacks {tensor!r}; fetch it again")
    if folder.name == TRANSFORMER and not all(any(each.startswith(begin) for each in found) for begin in QWEN_IMAGE):
        raise BadCheckpoint(f"{folder} holds another model: its tensors are called {min(found)} and so on")


def _tensors(folder: Path, names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each tensor of the files called *names*, with the file that has it."""
    for name in names:
        yield from ((tensor, name) for tensor in safetensors_header(folder / name).tensors)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise BadCheckpoint(f"{path} cannot be read: {exc}") from exc
    if not isinstance(found, dict):
        raise BadCheckpoint(f"{path} is no description: it holds no names")
    return found

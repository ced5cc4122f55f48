"""Which models of the catalogue lie on this machine, and where: fetched, or put there by somebody else.

Looked through, in this order: the folder that `undercard provision` fetches into, the folders that the settings name,
and huggingface_hub's cache. What is found under a known name is taken for that model once its size and its header say
so; nothing is hashed, copied or moved.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from undercard.errors import BadCheckpoint
from undercard.models import lock
from undercard.models.catalogue import ModelSpec
from undercard.models.folders import INDEX, edition_of, prove_folder
from undercard.models.layouts import prove
from undercard.settings import Settings

DEPTH = 5
"""Folders below a folder that is looked through: deeper than anybody sorts models."""
SUFFIXES = (".safetensors", ".gguf")


@dataclass(frozen=True, slots=True)
class Look:
    """What a look for a model found."""

    path: Path | None
    """The folder or file to use; None where there is none."""
    wrong: tuple[str, ...] = ()
    """What lies under its name and is not it, and why."""
    own: bool = False
    """The settings name it: whether it is what the catalogue means is the user's affair."""


def look(model: ModelSpec, settings: Settings, *, without_transformer: bool = False) -> Look:
    """Look for *model*, or for what is needed of it beside a transformer from another file."""
    wrong = []
    for path in _candidates(model, settings):
        problem = _problem(path, model, without_transformer=without_transformer)
        if problem is None:
            return Look(path)
        wrong.append(problem)
    return Look(None, tuple(wrong))


def look_in_comfyui(model: ModelSpec, settings: Settings) -> Look:
    """Look for *model* where ComfyUI would."""
    target = comfyui_target(model, settings)
    folder = target.parent
    # ComfyUI looks through the folders below as well.
    paths = [path for path in (target, *folder.rglob(target.name)) if path.is_file()]
    wrong = []
    for path in dict.fromkeys(paths):
        problem = _problem(path, model, without_transformer=False)
        if problem is None:
            return Look(path)
        wrong.append(problem)
    return Look(None, tuple(wrong))


def target_of(model: ModelSpec, settings: Settings) -> Path:
    """Return where *model* is fetched to: its folder, or its file."""
    folder = settings.model_store_root / model.repository
    return folder if model.is_folder else folder / model.file.path


def comfyui_target(model: ModelSpec, settings: Settings) -> Path:
    """Return where *model* is fetched to for ComfyUI."""
    assert model.comfyui is not None
    return settings.comfyui_root / model.comfyui / model.file_name


def forget() -> None:
    """Look anew from now on."""
    _named.cache_clear()
    _proved.cache_clear()


def _candidates(model: ModelSpec, settings: Settings) -> Iterator[Path]:
    """Yield what could be *model*, by its name."""
    target = target_of(model, settings)
    if target.exists():
        yield target
    if model.is_folder:
        for root in settings.folders_to_look_in:
            yield from (folder for folder in _named(root).get(INDEX, ()) if _edition(folder) == model.edition)
    else:
        if model.comfyui is not None and (own := comfyui_target(model, settings)).is_file():
            yield own
        for root in settings.folders_to_look_in:
            yield from _named(root).get(model.file_name, ())
    yield from _cached(model, settings)


def _cached(model: ModelSpec, settings: Settings) -> Iterator[Path]:
    """Yield *model* where huggingface_hub's cache has it: at the commit that is meant, else the newest."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE) / f"models--{model.repository.replace('/', '--')}" / "snapshots"
    wanted = lock.read(settings).commit(model.repository, model.revision)
    snapshots = [path for path in cache.glob("*") if path.is_dir()]
    for snapshot in sorted(snapshots, key=lambda path: (path.name != wanted, -path.stat().st_mtime)):
        path = snapshot if model.is_folder else snapshot / model.file.path
        if (path / INDEX if model.is_folder else path).is_file():
            yield path


# A folder of ComfyUI's has thousands of files, and every backend looks for its own.
@lru_cache(maxsize=64)
def _named(root: Path) -> dict[str, tuple[Path, ...]]:
    """Return the weights below *root* by their names, and the folders of whole models under `model_index.json`."""
    found: dict[str, list[Path]] = {}
    for folder, folders, files in os.walk(root, followlinks=True):
        here = Path(folder)
        deep = len(here.relative_to(root).parts) >= DEPTH
        folders[:] = [] if deep else sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name == INDEX:
                found.setdefault(INDEX, []).append(here)
            elif name.endswith(SUFFIXES):
                found.setdefault(name, []).append(here / name)
    return {name: tuple(paths) for name, paths in found.items()}


def _edition(folder: Path) -> str | None:
    try:
        return edition_of(folder)
    except BadCheckpoint:
        # Some other model's; it was not looked for.
        return None


def _problem(path: Path, model: ModelSpec, *, without_transformer: bool) -> str | None:
    """Return why what lies at *path* is not *model*, or None when it is."""
    if model.is_folder:
        stamp = tuple(sorted((str(each), each.stat().st_mtime_ns) for each in path.glob("*/*") if each.is_file()))
    else:
        size = path.stat().st_size
        if model.file.bytes is not None and size != model.file.bytes:
            return (
                f"{path} is not {model.title}: it has {size} bytes, and the published file {model.file.bytes}: it is "
                "cut short, of another revision, or another model's"
            )
        stamp = ((str(path), path.stat().st_mtime_ns),)
    return _proved(path, model, stamp, without_transformer=without_transformer)


# A run asks for each keyframe, and headers take 50 ms; what is on disk is part of the key.
@lru_cache(maxsize=256)
def _proved(
    path: Path, model: ModelSpec, _stamp: tuple[tuple[str, int], ...], *, without_transformer: bool
) -> str | None:
    try:
        if model.is_folder:
            prove_folder(path, model, without_transformer=without_transformer)
        else:
            prove(path, model)
    except BadCheckpoint as exc:
        return str(exc)
    return None

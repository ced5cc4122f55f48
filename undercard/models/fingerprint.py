"""What a model is rendered with, as far as that decides pixels: weights, LoRA and schedule, named by a digest."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from undercard.models import lightning, weights
from undercard.settings import Settings

REVISION = 1
"""Raised when the engine gives exact pixels that differ from those it gave before: no backend's revision is in the
keys of those."""
SAMPLES = 8
SAMPLE_BYTES = 65_536
"""Read at as many places of each file of weights: 40 GB of a fine-tune differ from another's at each of them, and
reading all of it would take a minute before each run."""
WEIGHTS = frozenset({".safetensors", ".gguf"})
DESCRIPTIONS = frozenset({".json", ".txt", ".jinja"})


def recipe(backend: str, settings: Settings, *, steps: int = 0, guidance: float = 1.0) -> str:
    """Return what *backend* renders with, such as `4 steps 1f0c9a…`; empty where there is no model.

    A copy of the same files elsewhere has the same name. Where the transformer is in a file of its own, that file
    counts instead of the folder's weights.

    Args:
        backend: its name.
        settings: what they name counts before the catalogue.
        steps: in place of the usual ones, which may take other weights; 0 for those.
        guidance: what it is rendered with; 1 for none.
    """
    folder = weights.folder(backend, settings)
    if folder is None:
        return ""
    other = lightning.in_steps(backend, steps, settings) if steps else None
    guided = f" guided by {guidance:g}" if guidance > 1.0 else ""
    if other is not None:
        strength = f" at {other.lora_strength:g}" if other.lora_strength != 1.0 else ""
        return f"{steps} steps {_digest(other.folder, other.lora, other.transformer)}{strength}{guided}"
    usual = weights.strength(backend, settings)
    strength = f" at {usual:g}" if usual != 1.0 else ""
    digest = _digest(folder, weights.lora(backend, settings), weights.quantised(backend, settings))
    return f"{weights.steps(backend, settings)} steps {digest}{strength}{guided}"


# A process renders with one model, and asks for each keyframe.
@lru_cache(maxsize=8)
def _digest(model: Path, lora: Path | None, transformer: Path | None = None) -> str:
    seen = hashlib.sha256(f"{REVISION}\n".encode())
    for path in sorted(model.rglob("*")) if model.is_dir() else [model]:
        replaced = transformer is not None and path.suffix in WEIGHTS and path.parent == model / "transformer"
        if path.is_file() and path.suffix in WEIGHTS | DESCRIPTIONS and not replaced:
            seen.update(f"{path.relative_to(model)} {path.stat().st_size}\n".encode())
            _read(path, seen)
    for name, file in (("lora", lora), ("transformer", transformer)):
        if file is not None and file.is_file():
            seen.update(f"{name} {file.stat().st_size}\n".encode())
            _read(file, seen)
    return seen.hexdigest()[:32]


def _read(path: Path, seen: hashlib._Hash) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= SAMPLES * SAMPLE_BYTES or path.suffix in DESCRIPTIONS:
            seen.update(file.read())
            return
        # The first holds the header, the last ends with the file.
        for index in range(SAMPLES):
            file.seek((size - SAMPLE_BYTES) * index // (SAMPLES - 1))
            seen.update(file.read(SAMPLE_BYTES))

"""What it means that Lightning is in a backend's weights: for how many steps they are made, and without guidance.

Lightning is distilled for one schedule, and what it gives in another is nobody's promise: other steps take the LoRA, or
the file, that is made for them, where it is here. Weights without Lightning take any number of steps, and guidance.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from undercard.models import catalogue_file, kits, weights
from undercard.models.kits import Wish
from undercard.models.weight_settings import STEPS, is_fused, named
from undercard.models.weights import Weights
from undercard.settings import Settings


def is_distilled(backend: str, found: Weights, settings: Settings) -> bool:
    """Say whether what *backend* was *found* to render with has Lightning in it or beside it."""
    possible = catalogue_file.load(settings).kits(backend)
    # A backend that never takes a LoRA has files with Lightning in them, whatever they are called.
    always = bool(possible) and not any(kit.lora for kit in possible)
    return found.lora is not None or always or is_fused(found.transformer) or is_fused(found.folder)


def in_steps(backend: str, steps: int, settings: Settings) -> Weights | None:
    """Return what *backend* renders with in *steps* steps; None where nothing here is made for as many."""
    usual = weights.of(backend, settings)
    if usual is None or usual.steps == steps:
        return usual
    if not is_distilled(backend, usual, settings):
        return replace(usual, steps=steps)
    return _sibling(usual, steps) or _of_the_catalogue(backend, usual, steps, settings)


def guidance(backend: str, settings: Settings) -> float:
    """Return by how much *backend* is to follow its prompt rather than the negative one: 1 is by itself.

    Lightning has guidance distilled into it, and takes none beside.
    """
    found = weights.of(backend, settings)
    return 1.0 if found is None or is_distilled(backend, found, settings) else settings.guidance


def passes(backend: str, settings: Settings) -> int:
    """Return how often the transformer is asked at each step."""
    return 2 if guidance(backend, settings) > 1.0 else 1


def lacking(backend: str, steps: int, settings: Settings) -> str:
    """Say what *backend* lacks for *steps* steps, and the command that would change that; empty where nothing."""
    if weights.of(backend, settings) is None or in_steps(backend, steps, settings) is not None:
        return ""
    catalogue = catalogue_file.load(settings)
    names = [name for kit in catalogue.kits(backend) for name in (*kit.lora, *kit.transformer)]
    model = next((found for name in names if (found := catalogue.named(name)).steps == steps), None)
    remedy = f"; run undercard provision --model {model.name}" if model else ""
    return f"nothing here is made for {steps} steps{remedy}"


def _sibling(usual: Weights, steps: int) -> Weights | None:
    """Return *usual* with the file beside its own that is called the same but for the steps, as published ones are."""
    if usual.lora is not None:
        other = _renamed(usual.lora, steps)
        return replace(usual, lora=other, steps=steps) if other else None
    other = _renamed(usual.transformer, steps) if usual.transformer is not None else None
    return replace(usual, transformer=other, steps=steps) if other else None


def _renamed(path: Path, steps: int) -> Path | None:
    told = STEPS.search(path.name.lower())
    if told is None:
        return None
    other = path.with_name(f"{path.name[: told.start(1)]}{steps}{path.name[told.end(1) :]}")
    return other if other != path and other.is_file() else None


def _of_the_catalogue(backend: str, usual: Weights, steps: int, settings: Settings) -> Weights | None:
    """Return *usual* with what of the catalogue is here and made for *steps* in place of what it has of Lightning."""
    catalogue, own = catalogue_file.load(settings), named(backend, settings)
    # A LoRA goes with whatever transformer there is; one that has Lightning in it is to be another.
    kept = usual.transformer if usual.lora is not None else None
    for kit in catalogue.kits(backend):
        if own.edition not in {None, catalogue.edition(kit)}:
            continue
        filled = kits.fill(catalogue, kit, backend, Wish(steps=steps, base=own.folder, transformer=kept), settings)
        if filled is None or filled.base is None or filled.base.path != usual.folder:
            continue
        lora, transformer = filled.lora, filled.transformer
        if usual.lora is not None and lora is not None and lora.path is not None and lora.model.steps == steps:
            return replace(usual, lora=lora.path, lora_strength=lora.model.strength or 1.0, steps=steps)
        if usual.lora is None and transformer is not None and transformer.path is not None:
            return replace(usual, transformer=transformer.path, steps=steps)
    return None

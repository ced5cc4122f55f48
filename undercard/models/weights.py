"""Which weights this machine renders with: the settings' where they name any, else what of the catalogue is there.

What belongs together comes together: a backend's base and its transformer are of one edition, and a Lightning LoRA
brings the number of steps that it is made for. Whoever computes elsewhere asks `of`; who cannot, says `missing`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from undercard.domain.unavailable import Cause, Unavailable, from_error
from undercard.errors import BadCheckpoint
from undercard.models import catalogue_file, kits, presence
from undercard.models.catalogue import COMFYUI
from undercard.models.kits import Filled, Pick
from undercard.models.weight_settings import SETTINGS, Own, is_fused, named, named_paths, own_lora, own_transformer
from undercard.models.weight_settings import setting as setting
from undercard.settings import Settings

ENGINE = "bf16"
"""The backend that is meant where none is named: all of the engine's take the same folder and LoRA."""
QUANTISED = ("gguf", "fp8-lightning", "nunchaku")
"""Backends of the engine with a file of their own for the transformer; for the rest, they take a model's folder."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What a backend renders with."""

    folder: Path
    """A Qwen-Image-Edit in diffusers' layout; its transformer's weights may be missing where `transformer` is set."""
    transformer: Path | None
    """The file of a quantised backend; None for the folder's own."""
    lora: Path | None
    """To be fused into bf16 weights; None where there is none, or where it is fused already."""
    lora_strength: float
    """What the LoRA is multiplied by."""
    steps: int
    """Denoising steps, on Lightning's schedule."""


def of(backend: str, settings: Settings) -> Weights | None:
    """Return what *backend* renders with; None where something is missing, or where it needs no weights."""
    found = _found(backend, settings)
    return found if isinstance(found, Weights) else None


def missing(backend: str, settings: Settings) -> Unavailable | None:
    """Say which weights *backend* lacks, and the one command that would change that; None where it lacks none."""
    found = _found(backend, settings)
    return found if isinstance(found, Unavailable) else None


def remedy(backend: str) -> str:
    """Return the one command that fetches what *backend* renders with: how a reason for not running ends."""
    return f"run undercard provision --backend {backend}"


def folder(backend: str, settings: Settings) -> Path | None:
    """Return the folder of Qwen-Image-Edit that *backend* takes, or None where there is none."""
    found = of(backend, settings)
    return found.folder if found else settings.model


def lora(backend: str, settings: Settings) -> Path | None:
    """Return the file of the LoRA that *backend* adds to its weights, or None where it adds none."""
    found = of(backend, settings)
    if found:
        return found.lora
    return None if is_fused(own_transformer(backend, settings)) else own_lora(settings)


def strength(backend: str, settings: Settings) -> float:
    """Return what the LoRA is multiplied by."""
    found = of(backend, settings)
    return found.lora_strength if found else 1.0


def quantised(backend: str, settings: Settings) -> Path | None:
    """Return the file of the transformer that *backend* renders with, or None where there is none."""
    found = of(backend, settings)
    return found.transformer if found else own_transformer(backend, settings)


def steps(backend: str, settings: Settings) -> int:
    """Return the denoising steps of a keyframe: those that its Lightning is made for, or the settings'."""
    found = of(backend, settings)
    return found.steps if found else settings.steps


def forget() -> None:
    """Look anew from now on: something was fetched."""
    presence.forget()
    _resolved.cache_clear()


def _found(backend: str, settings: Settings) -> Weights | Unavailable | None:
    fetched = (settings.models_lock, settings.catalogue_file, settings.model_store_root, *settings.folders_to_look_in)
    places = (*fetched, *named_paths(backend, settings))
    return _resolved(backend, settings, tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in places))


# Asked for each keyframe of a film; whatever is fetched meanwhile changes one of the stamps.
@lru_cache(maxsize=64)
def _resolved(backend: str, settings: Settings, _stamps: tuple[int, ...]) -> Weights | Unavailable | None:
    catalogue = catalogue_file.load(settings)
    possible = catalogue.kits(backend)
    if not possible or backend == COMFYUI:
        # What ComfyUI renders with is for its server to say.
        return None
    try:
        own = named(backend, settings)
    except BadCheckpoint as exc:
        return from_error(exc, Cause.WRONG_FILE)
    fitting = [kit for kit in possible if own.edition in {None, catalogue.edition(kit)}]
    filled = [found for kit in fitting if (found := kits.fill(catalogue, kit, backend, own.wish, settings))]
    complete = (weights for found in filled if (weights := _completed(found, own)))
    if (first := next(complete, None)) is not None:
        return first
    if own.folder is not None and (own.transformer is not None or backend not in SETTINGS):
        # Of an edition, or in steps, that the catalogue has nothing for.
        return Weights(own.folder, own.transformer, own.lora, 1.0, own.told_steps)
    return _lack(backend, filled, own)


def _completed(found: Filled, own: Own) -> Weights | None:
    """Return what is rendered with if all of *found* that the settings do not name is there."""
    base, transformer = own.folder or _path(found.base), own.transformer or _path(found.transformer)
    if base is None or (found.kit.transformer and transformer is None):
        return None
    plain = Weights(base, transformer, None, 1.0, own.told_steps)
    if own.lora and (found.lora or own.transformer):
        return replace(plain, lora=own.lora)
    if found.lora is None:
        fused = None if own.transformer or found.transformer is None else found.transformer.model.steps
        return replace(plain, steps=fused or plain.steps)
    model, path = found.lora.model, found.lora.path
    if path is not None and not own.without_lora:
        return Weights(base, transformer, path, model.strength or 1.0, model.steps or plain.steps)
    # What the user names may have Lightning in it already.
    return plain if own.without_lora or own.folder or own.transformer else None


def _path(pick: Pick | None) -> Path | None:
    return pick.path if pick else None


def _lack(backend: str, filled: list[Filled], own: Own) -> Unavailable:
    """Say what is missing of the first kit that would do."""
    if not filled:
        edition, count = f"Edit-{own.edition}" if own.edition else "", f"{own.steps} steps" if own.steps else ""
        asked = " in ".join(part for part in (edition, count) if part)
        what = f"the catalogue has nothing for it of {asked}"
        return Unavailable(what, "set UNDERCARD_MODEL or UNDERCARD_STEPS otherwise", Cause.NOT_IN_CATALOGUE)
    first = filled[0]
    lacking = [pick for pick in first.lacking if pick is not first.lora or not own.without_lora]
    wrong = [reason for pick in lacking for reason in pick.look.wrong]
    what = wrong[0] if wrong else f"there is no {', no '.join(pick.model.title for pick in lacking)}"
    variables = ["UNDERCARD_MODEL"] if first.base in lacking else []
    if first.transformer in lacking:
        variables.append(setting(backend))
    named = " and ".join(variables) or "UNDERCARD_LORA"
    return Unavailable(what, f"{remedy(backend)}, or set {named}", Cause.MISSING_WEIGHTS)

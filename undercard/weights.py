"""Which weights this machine renders with: the settings' where they name any, else what of the catalogue is there.

What belongs together comes together: a backend's base and its transformer are of one edition, and a Lightning LoRA
brings the number of steps that it is made for. Whoever computes elsewhere asks `of`; who cannot, says `missing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from undercard import catalogue_file, settings
from undercard.catalogue import COMFYUI, Edition, Layout
from undercard.errors import BadCheckpoint
from undercard.models import kits, presence
from undercard.models.folders import PARTS, edition_of
from undercard.models.headers import read_header
from undercard.models.kits import Filled, Pick, Wish
from undercard.models.layouts import recognise
from undercard.settings import Settings

ENGINE = "bf16"
"""The backend that is meant where none is named: all of the engine's take the same folder and LoRA."""
NO_LORA = "none"
"""In place of a LoRA's path in the settings: what the catalogue finds is not taken either."""
QUANTISED = ("gguf", "fp8-lightning", "nunchaku", "nunchaku-official")
"""Backends with a file of their own for the transformer; whatever else a model needs, they take from its folder."""
SETTINGS = {"gguf": "gguf", "fp8-lightning": "fp8_lightning", "nunchaku": "nunchaku", "nunchaku-official": "nunchaku"}
"""Which setting names the file of a quantised backend."""
LAYOUTS = {
    "gguf": {Layout.GGUF},
    "fp8_lightning": {Layout.FP8_LIGHTX2V, Layout.FP8_COMFYUI, Layout.FP8_PLAIN},
    "nunchaku": {Layout.SVDQ_INT4, Layout.SVDQ_FP4},
}


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


def of(backend: str) -> Weights | None:
    """Return what *backend* renders with; None where something is missing, or where it needs no weights."""
    found = _found(backend)
    return found if isinstance(found, Weights) else None


def missing(backend: str) -> str | None:
    """Say which weights *backend* lacks, and the one command that would change that; None where it lacks none."""
    found = _found(backend)
    return found if isinstance(found, str) else None


def remedy(backend: str) -> str:
    """Return the one command that fetches what *backend* renders with: how a reason for not running ends."""
    return f"run undercard provision --backend {backend}"


def folder(backend: str = ENGINE) -> Path | None:
    """Return the folder of Qwen-Image-Edit that *backend* takes, or None where there is none."""
    found = of(backend)
    return found.folder if found else settings.load().model


def lora(backend: str = ENGINE) -> Path | None:
    """Return the file of the LoRA that is fused into bf16 weights, or None where there is none."""
    found = of(backend)
    return found.lora if found else _own_lora(settings.load())


def strength(backend: str = ENGINE) -> float:
    """Return what the LoRA is multiplied by."""
    found = of(backend)
    return found.lora_strength if found else 1.0


def quantised(backend: str) -> Path | None:
    """Return the file of the transformer that the quantised *backend* renders with, or None where there is none."""
    found = of(backend)
    return found.transformer if found else _own_transformer(backend, settings.load())


def steps(backend: str = ENGINE) -> int:
    """Return the denoising steps of a keyframe: those of the LoRA, or the settings'."""
    found = of(backend)
    return found.steps if found else settings.load().steps


def forget() -> None:
    """Look anew from now on: something was fetched."""
    presence.forget()
    _resolved.cache_clear()


def _found(backend: str) -> Weights | str | None:
    chosen = settings.load()
    places = (chosen.models_lock, chosen.catalogue_file, chosen.model_store_root, *chosen.folders_to_look_in)
    return _resolved(backend, chosen, tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in places))


# Asked for each keyframe of a film; whatever is fetched meanwhile changes one of the stamps.
@lru_cache(maxsize=64)
def _resolved(backend: str, chosen: Settings, _stamps: tuple[int, ...]) -> Weights | str | None:
    catalogue = catalogue_file.load()
    possible = catalogue.kits(backend)
    if not possible or backend == COMFYUI:
        # What ComfyUI renders with is for its server to say.
        return None
    try:
        own = named(backend)
    except BadCheckpoint as exc:
        return str(exc)
    fitting = [kit for kit in possible if own.edition in {None, catalogue.edition(kit)}]
    filled = [found for kit in fitting if (found := kits.fill(catalogue, kit, backend, own.wish))]
    complete = (weights for found in filled if (weights := _completed(found, own, chosen)))
    return next(complete, None) or _lack(backend, filled, own)


@dataclass(frozen=True, slots=True)
class Own:
    """What the settings name."""

    folder: Path | None
    transformer: Path | None
    lora: Path | None
    without_lora: bool
    steps: int | None
    """None where the LoRA is to say."""
    edition: Edition | None
    """Of what they name; None where it does not say."""

    @property
    def wish(self) -> Wish:
        """What a kit is filled by."""
        return Wish(steps=self.steps, base=self.folder, transformer=self.transformer, lora=self.lora)


def named(backend: str) -> Own:
    """Return what the settings name for *backend*, once it is known to belong together.

    Raises:
        BadCheckpoint: something of it is not there, or not what its setting is for.
    """
    chosen, edition = settings.load(), None
    transformer = _own_transformer(backend, chosen)
    if chosen.model is not None:
        if lacking := [part for part in PARTS if not (chosen.model / part).is_dir()]:
            raise BadCheckpoint(
                f"{chosen.model} has no folder {', '.join(lacking)}; set UNDERCARD_MODEL to a whole Qwen-Image-Edit"
            )
        edition = edition_of(chosen.model)
    if transformer is not None:
        of_file = _edition_of_file(transformer, SETTINGS[backend])
        if of_file and edition and of_file != edition:
            raise BadCheckpoint(
                f"{transformer} is of Edit-{of_file}, and UNDERCARD_MODEL of {edition}; name one edition"
            )
        edition = edition or of_file
    found = _own_lora(chosen)
    if found is not None and not found.is_file():
        raise BadCheckpoint(f"{found} is no file; set UNDERCARD_LORA to a LoRA's safetensors, or leave it out")
    without = chosen.lora is not None and found is None
    wished = chosen.steps if "steps" in chosen.model_fields_set and found is None and not without else None
    return Own(chosen.model, transformer, found, without, wished, edition)


def _own_lora(chosen: Settings) -> Path | None:
    return None if chosen.lora is None or str(chosen.lora) == NO_LORA else chosen.lora


def _own_transformer(backend: str, chosen: Settings) -> Path | None:
    found: Path | None = getattr(chosen, SETTINGS[backend]) if backend in SETTINGS else None
    return found


def _edition_of_file(path: Path, setting: str) -> Edition | None:
    """Return the edition that the file at *path* says that it is of, once it has the layout that *setting* is for."""
    if not path.is_file():
        raise BadCheckpoint(f"{path} is no file; set UNDERCARD_{setting.upper()} to one, or leave it out")
    contents = recognise(read_header(path))
    if contents.layout not in LAYOUTS[setting]:
        expected = " or ".join(sorted(LAYOUTS[setting]))
        raise BadCheckpoint(f"{path} holds {contents.layout}; set UNDERCARD_{setting.upper()} to {expected}")
    return contents.edition


def _completed(found: Filled, own: Own, chosen: Settings) -> Weights | None:
    """Return what is rendered with if all of *found* that the settings do not name is there."""
    base, transformer = own.folder or _path(found.base), own.transformer or _path(found.transformer)
    if base is None or (found.kit.transformer and transformer is None):
        return None
    count = chosen.steps
    if found.transformer is not None and own.transformer is None:
        count = found.transformer.model.steps or count
    if found.lora is None or own.without_lora or own.lora:
        return Weights(base, transformer, None if found.lora is None else own.lora, 1.0, count)
    if found.lora.path is not None:
        model = found.lora.model
        return Weights(base, transformer, found.lora.path, model.strength or 1.0, model.steps or count)
    # What the user names may have Lightning in it already.
    return Weights(base, transformer, None, 1.0, count) if own.folder or own.transformer else None


def _path(pick: Pick | None) -> Path | None:
    return pick.path if pick else None


def _lack(backend: str, filled: list[Filled], own: Own) -> str:
    """Say what is missing of the first kit that would do."""
    setting = f"UNDERCARD_{SETTINGS.get(backend, 'model').upper()}"
    if not filled:
        edition, count = f"Edit-{own.edition}" if own.edition else "", f"{own.steps} steps" if own.steps else ""
        asked = " in ".join(part for part in (edition, count) if part)
        return f"the catalogue has nothing for it of {asked}; set UNDERCARD_MODEL or UNDERCARD_STEPS otherwise"
    named = {id(filled[0].transformer): own.transformer, id(filled[0].base): own.folder}
    lacking = [pick for pick in filled[0].lacking if named.get(id(pick)) is None]
    wrong = [reason for pick in lacking for reason in pick.look.wrong]
    what = wrong[0] if wrong else f"there is no {', no '.join(pick.model.title for pick in lacking)}"
    return f"{what}; {remedy(backend)}, or set {setting}"

"""Which weights the settings name, and what follows from their names alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from undercard.errors import BadCheckpoint
from undercard.models.catalogue import Edition
from undercard.models.folders import CONFIG, PARTS, TRANSFORMER, edition_of
from undercard.models.kits import Wish
from undercard.models.layouts import read_header, recognise
from undercard.settings import Settings

NO_LORA = "none"
"""In place of a LoRA's path in the settings: what the catalogue finds is not taken either."""
SETTINGS = {"gguf": "gguf", "fp8-lightning": "fp8_lightning", "nunchaku": "nunchaku", "nunchaku-official": "nunchaku"}
"""Which setting names the file of a backend that has one."""
FUSED = "lightning"
"""What the names of published files say that have Lightning fused in; nothing within them does."""
STEPS = re.compile(r"([48])[-_ ]?steps?")
"""What names of Lightning's files say that they are made for."""


def setting(backend: str) -> str:
    """Return the variable that names the file of *backend*, such as `UNDERCARD_FP8_LIGHTNING`."""
    return f"UNDERCARD_{SETTINGS[backend].upper()}"


@dataclass(frozen=True, slots=True)
class Own:
    """What the settings name."""

    folder: Path | None
    transformer: Path | None
    lora: Path | None
    without_lora: bool
    """None is to be added: they say so, or the transformer has it already."""
    steps: int | None
    """None where they do not say."""
    told_steps: int
    """By them, or else by the name of what has Lightning in it."""
    edition: Edition | None
    """Of what they name; None where it does not say."""

    @property
    def wish(self) -> Wish:
        """What a kit is filled by."""
        wished = None if self.lora or self.without_lora else self.steps
        return Wish(steps=wished, base=self.folder, transformer=self.transformer, lora=self.lora)


def named(backend: str, settings: Settings) -> Own:
    """Return what *settings* name for *backend*.

    Raises:
        BadCheckpoint: something of it is not there. Whether the files are what they should be is for who opens them.
    """
    transformer, lora = own_transformer(backend, settings), own_lora(settings)
    edition = None if settings.model is None else _edition_of_folder(settings.model, whole=backend not in SETTINGS)
    if transformer is not None and not transformer.is_file():
        raise BadCheckpoint(f"{transformer} is no file; set {setting(backend)} to one, or leave it out")
    if lora is not None and not lora.is_file():
        raise BadCheckpoint(f"{lora} is no file; set UNDERCARD_LORA to a LoRA's safetensors, or leave it out")
    fused = is_fused(transformer)
    without = fused or (settings.lora is not None and lora is None)
    steps = settings.steps if "steps" in settings.model_fields_set else None
    told = STEPS.search(_name(transformer) if fused else _name(lora))
    return Own(
        folder=settings.model,
        transformer=transformer,
        lora=None if fused else lora,
        without_lora=without,
        steps=steps,
        told_steps=steps or (int(told[1]) if told else settings.steps),
        edition=edition or (_edition_of_file(transformer) if transformer else None),
    )


def named_paths(backend: str, settings: Settings) -> Iterator[Path]:
    """Yield every path that is named for *backend*, and what decides its edition."""
    if settings.model is not None:
        yield from (settings.model, settings.model / CONFIG)
    yield from (path for path in (own_transformer(backend, settings), own_lora(settings)) if path is not None)


def own_lora(settings: Settings) -> Path | None:
    """Return the LoRA that is named; None also where they say that there is to be none."""
    return None if settings.lora is None or str(settings.lora) == NO_LORA else settings.lora


def own_transformer(backend: str, settings: Settings) -> Path | None:
    """Return the file that is named for *backend*."""
    found: Path | None = getattr(settings, SETTINGS[backend]) if backend in SETTINGS else None
    return found


def is_fused(transformer: Path | None) -> bool:
    """Say whether a file is called as those are that have Lightning fused in."""
    return FUSED in _name(transformer)


def _name(path: Path | None) -> str:
    return path.name.lower() if path else ""


def _edition_of_folder(folder: Path, *, whole: bool) -> Edition:
    """Return the edition of a model's *folder* that has every part; one that is not *whole* needs no transformer."""
    needed = PARTS if whole else [part for part in PARTS if part != TRANSFORMER]
    if lacking := [part for part in needed if not (folder / part).is_dir()]:
        raise BadCheckpoint(
            f"{folder} has no folder {', '.join(lacking)}; set UNDERCARD_MODEL to a whole Qwen-Image-Edit"
        )
    if not (folder / CONFIG).is_file():
        raise BadCheckpoint(
            f"{folder} has no {CONFIG} that can be read; put the model's there, its weights may be left"
        )
    return edition_of(folder)


def _edition_of_file(path: Path) -> Edition | None:
    """Return the edition that the file at *path* says that it is of."""
    try:
        return recognise(read_header(path)).edition
    except BadCheckpoint:
        return None

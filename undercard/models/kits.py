"""A kit of the catalogue on this machine: which of its models are there, and which would have to be fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from undercard.models import presence
from undercard.models.catalogue import COMFYUI, Catalogue, KitSpec, ModelSpec
from undercard.models.presence import Look
from undercard.settings import Settings


@dataclass(frozen=True, slots=True)
class Pick:
    """One model of a kit."""

    model: ModelSpec
    look: Look
    without_transformer: bool = False
    """A base whose transformer's weights are not needed, since another file has them."""
    in_comfyui: bool = False
    """It was looked for where ComfyUI would."""

    @property
    def path(self) -> Path | None:
        """Where it lies; None where it does not."""
        return self.look.path

    @property
    def size_bytes(self) -> int:
        """What it takes on disk, as far as the catalogue knows."""
        return sum(file.size_bytes for file in self.model.wanted(without_transformer=self.without_transformer))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a kit is chosen by, beside what is there."""

    steps: int | None = None
    """Denoising steps; None for any."""
    capability: tuple[int, int] | None = None
    """Of the card that is to compute; None where it does not matter."""
    model: str | None = None
    """Name of a model that must be among the picks, where the kit has it."""
    base: Path | None = None
    """A folder that the settings name; the kit's own is not looked for."""
    transformer: Path | None = None
    """A file that the settings name."""
    lora: Path | None = None
    """A file that the settings name."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A kit with one model picked for each of its places: what is there, else what would be fetched."""

    kit: KitSpec
    base: Pick | None
    transformer: Pick | None
    lora: Pick | None
    also: tuple[Pick, ...]

    def picks(self) -> Iterator[Pick]:
        """Yield every pick, what is large last: what is wrong with a kit shows early."""
        yield from (pick for pick in (self.lora, *self.also, self.base, self.transformer) if pick is not None)

    @property
    def lacking(self) -> tuple[Pick, ...]:
        """What is not there."""
        return tuple(pick for pick in self.picks() if pick.path is None)

    @property
    def steps(self) -> int | None:
        """Steps that it renders in; None where nothing in it says."""
        for pick in (self.transformer, self.lora):
            if pick is not None and pick.model.steps is not None:
                return pick.model.steps
        return None


def fill(catalogue: Catalogue, kit: KitSpec, backend: str, wish: Wish, settings: Settings) -> Filled | None:
    """Pick the models of *kit* for *backend*; None where it has none that suits the *wish*."""
    look = partial(_look_in_comfyui if backend == COMFYUI else _look, settings)
    transformer = lora = None
    if kit.transformer:
        found = _suiting(catalogue, kit.transformer, wish, fused=not kit.lora)
        if not found:
            return None
        transformer = Pick(found[0], Look(wish.transformer, own=True)) if wish.transformer else _first(found, look)
    fused = transformer is not None and transformer.model.steps is not None
    if kit.lora and not fused:
        found = _suiting(catalogue, kit.lora, wish, fused=True)
        if not found:
            return None
        lora = Pick(found[0], Look(wish.lora, own=True)) if wish.lora else _first(found, look)
    base = None
    if kit.base is not None:
        model, partly = catalogue.named(kit.base), bool(kit.transformer)
        there = Look(wish.base, own=True) if wish.base else presence.look(model, settings, without_transformer=partly)
        base = Pick(model, there, partly)
    also = tuple(_first([catalogue.named(name)], look) for name in kit.also)
    return Filled(kit, base, transformer, lora, also)


def suits(model: ModelSpec, capability: tuple[int, int] | None) -> bool:
    """Say whether a card of that *capability* computes with *model*."""
    if capability is None or model.least_capability is None:
        return True
    major, minor = model.least_capability.split(".")
    return capability >= (int(major), int(minor))


def _suiting(catalogue: Catalogue, names: Sequence[str], wish: Wish, *, fused: bool) -> list[ModelSpec]:
    """Return those of the models called *names* that suit; *fused* are those whose steps count."""
    if wish.model in names:
        names = [name for name in names if name == wish.model]
    models = [catalogue.named(name) for name in names]
    if wish.capability is None:
        # Not knowing the card, what any card takes is the better guess.
        models.sort(key=lambda model: model.least_capability is not None)
    return [
        model
        for model in models
        if suits(model, wish.capability) and (not fused or wish.steps is None or model.steps == wish.steps)
    ]


def _look(settings: Settings, model: ModelSpec) -> Pick:
    return Pick(model, presence.look(model, settings))


def _look_in_comfyui(settings: Settings, model: ModelSpec) -> Pick:
    return Pick(model, presence.look_in_comfyui(model, settings), in_comfyui=True)


def _first(models: Sequence[ModelSpec], look: Callable[[ModelSpec], Pick]) -> Pick:
    """Return the first of *models* that is there, else the first."""
    picks = [look(model) for model in models]
    return next((pick for pick in picks if pick.path is not None), picks[0])

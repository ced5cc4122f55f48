"""What the backends of Qwen-Image-Edit have in common: the engine with one storage format, behind the contract."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from undercard.backends import Renderer, Rung, Work
from undercard.backends.qwen.costs import STORAGES
from undercard.backends.qwen.rungs import rung_from_disk, rungs_for
from undercard.domain.requests import MOST_STEPS
from undercard.domain.unavailable import Cause, Unavailable
from undercard.errors import BackendUnavailable
from undercard.hardware.devices import Device
from undercard.models import lightning, weights
from undercard.models.architecture import QWEN_IMAGE_EDIT, Architecture, architecture
from undercard.models.fingerprint import recipe
from undercard.models.weights import Weights
from undercard.settings import Settings
from undercard.store import Store

NEEDED = ("torch", "diffusers", "transformers", "accelerate", "safetensors")


@dataclass(frozen=True, slots=True)
class QwenBackend:
    """The engine with its blocks in one storage format."""

    name: str
    codec: str
    """How the blocks lie in host memory; see engine/codecs.py."""
    exact: bool = False
    revision: int = 1
    family: str = field(default="qwen-image-edit", init=False)
    prompted: bool = field(default=True, init=False)
    draws_itself: bool = field(default=False, init=False)
    animates: bool = field(default=False, init=False)
    in_child: bool = field(default=True, init=False)

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        """Return the engine with as many blocks on the card as fit, with fewer, and with none; last, from disk."""
        steps, passes = weights.steps(self.name, settings), lightning.passes(self.name, settings)
        model = told_architecture(self.name, settings)
        rungs = rungs_for(STORAGES[self.name], self.name, work, device, steps=steps, model=model, passes=passes)
        if not self.exact or weights.lora(self.name, settings) is not None:
            # What lies on disk is the bf16 model, without a LoRA.
            return rungs
        plain = STORAGES["bf16-plain"]
        from_disk = rung_from_disk(plain, self.name, work, device, steps=steps, model=model, passes=passes)
        return (*rungs, *from_disk)

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        """Say what is missing: a card, the packages, or the weights."""
        return missing(self.name, device, settings)

    def recipe(self, settings: Settings, steps: int = 0) -> str:
        """Return what decides its pixels: the weights for *steps* steps, and guidance."""
        return recipe(self.name, settings, steps=steps, guidance=lightning.guidance(self.name, settings))

    def heeds(self, settings: Settings) -> frozenset[str]:
        """Return what it can do otherwise: decode whole, and more steps where it has the weights for them."""
        return heeded(self.name, settings)

    def open(self, device: Device, rung: Rung, settings: Settings) -> AbstractContextManager[Renderer]:
        """Open the engine as *rung* says.

        Raises:
            BackendUnavailable: it cannot run here.
        """
        found = require(self.name, self.unavailable(device, settings), settings)
        # Only a backend that opens needs torch.
        from undercard.backends.qwen import renderer
        from undercard.engine.card import device_at
        from undercard.engine.stages.opening import Model

        place = device_at(place_of(device))

        def model(found: Weights) -> Model:
            return Model(
                folder=found.folder,
                codec=self.codec,
                steps=found.steps,
                device=place,
                store=Store(settings.store_root),
                lora=found.lora,
                lora_strength=found.lora_strength,
                guidance=lightning.guidance(self.name, settings),
            )

        others = [model(other) for other in in_other_steps(self.name, settings)]
        return renderer.opened(model(found), rung, partial(self.recipe, settings), others)


def heeded(backend: str, settings: Settings) -> frozenset[str]:
    """Return what the engine can do otherwise for *backend*."""
    return frozenset({"whole", "steps"}) if in_other_steps(backend, settings) else frozenset({"whole"})


def in_other_steps(backend: str, settings: Settings) -> tuple[Weights, ...]:
    """Return what *backend* renders with in more steps than usual, as far as that is here."""
    usual = weights.of(backend, settings)
    more = lightning.in_steps(backend, MOST_STEPS, settings) if usual is not None and usual.steps < MOST_STEPS else None
    return () if more is None else (more,)


def missing(
    backend: str, device: Device, settings: Settings, needed: Sequence[str] = NEEDED, extra: str = "gpu"
) -> Unavailable | None:
    """Say what keeps *backend* from running on *device*: a card, a package, or the weights; None when it can.

    Args:
        backend: its name, by which its weights are found.
        device: the machine.
        settings: of it.
        needed: packages, by the names that they are imported by.
        extra: of undercard, that installs them.
    """
    return cannot_compute(device, settings) or missing_packages(needed, extra) or missing_weights(backend, settings)


def require(backend: str, reason: Unavailable | None, settings: Settings) -> Weights:
    """Return what *backend* renders with, when *reason* is None.

    Raises:
        BackendUnavailable: it cannot run here, for that reason.
    """
    found = weights.of(backend, settings)
    if reason is not None or found is None:
        raise BackendUnavailable(f"backend {backend!r} cannot run here: {reason}")
    return found


def cannot_compute(device: Device, settings: Settings) -> Unavailable | None:
    """Say that there is no card, where the processor was not asked for."""
    if not device.gpus and settings.device != "cpu":
        remedy = "UNDERCARD_DEVICE=cpu computes on the processor, in hours a keyframe"
        return Unavailable("there is no CUDA card", remedy, Cause.NO_CARD)
    return None


def missing_packages(needed: Sequence[str], extra: str = "gpu") -> Unavailable | None:
    """Say which of the packages *needed* are not installed, and which *extra* of undercard brings them."""
    if absent := [name for name in needed if importlib.util.find_spec(name) is None]:
        what = f"{', '.join(absent)} is not installed"
        return Unavailable(what, f"run pip install 'undercard[{extra}]'", Cause.MISSING_PACKAGE)
    return None


def missing_weights(backend: str, settings: Settings) -> Unavailable | None:
    """Say which weights *backend* lacks, and the one command that would change that."""
    reason = weights.missing(backend, settings)
    if reason is None and weights.of(backend, settings) is None:
        remedy = "name it in one of data/models.toml"
        return Unavailable("the catalogue has no kit for it", remedy, Cause.NOT_IN_CATALOGUE)
    return reason


def place_of(device: Device) -> str:
    """Return where to compute, as torch calls it."""
    return f"cuda:{device.gpus[0].index}" if device.gpus else "cpu"


def config_of(folder: Path) -> dict[str, object]:
    """Return the configuration of the transformer in *folder*; empty when it cannot be read."""
    try:
        config = json.loads((folder / "transformer" / "config.json").read_text())
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def told_architecture(backend: str, settings: Settings) -> Architecture:
    """Return the measures of the model that *backend* takes, the published ones where there is none."""
    folder = weights.folder(backend, settings)
    return QWEN_IMAGE_EDIT if folder is None else architecture(config_of(folder))

"""What the backends of Qwen-Image-Edit have in common: the engine with one storage format, behind the contract."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from undercard import settings, weights
from undercard.backends import Renderer, Rung, Work
from undercard.devices import Device
from undercard.engine_costs import QWEN_IMAGE_EDIT, STORAGES, Architecture, architecture
from undercard.engine_rungs import rung_from_disk, rungs_for
from undercard.errors import BackendUnavailable

PARTS = ("transformer", "text_encoder", "vae", "processor")
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
    animates: bool = field(default=False, init=False)
    in_child: bool = field(default=True, init=False)

    def rungs(self, work: Work, device: Device) -> tuple[Rung, ...]:
        """Return the engine with as many blocks on the card as fit, with fewer, and with none; last, from disk."""
        chosen, model = settings.load(), told_architecture()
        rungs = rungs_for(STORAGES[self.name], self.name, work, device, steps=chosen.steps, model=model)
        if not self.exact or weights.lora() is not None:
            # What lies on disk is the bf16 model, without a LoRA.
            return rungs
        plain = STORAGES["bf16-plain"]
        return (*rungs, *rung_from_disk(plain, self.name, work, device, steps=chosen.steps, model=model))

    def unavailable(self, device: Device) -> str | None:
        """Say what is missing: a card, the packages, or the weights."""
        return missing(device)

    def open(self, device: Device, rung: Rung) -> AbstractContextManager[Renderer]:
        """Open the engine as *rung* says.

        Raises:
            BackendUnavailable: it cannot run here.
        """
        folder = require(self.name, self.unavailable(device))
        # Only a backend that opens needs torch.
        import torch

        from undercard.engine import renderer
        from undercard.engine.opening import Model

        place = torch.device(place_of(device))
        return renderer.opened(Model(folder, self.codec, settings.load().steps, place, weights.lora()), rung)


def missing(device: Device, needed: Sequence[str] = NEEDED, extra: str = "gpu") -> str | None:
    """Say what keeps a whole model from running on *device*: a card, a package, or the weights; None when it can.

    Args:
        device: the machine.
        needed: packages, by the names that they are imported by.
        extra: of undercard, that installs them.
    """
    lacking = cannot_compute(device) or missing_packages(needed, extra)
    return lacking or missing_parts(weights.folder(), PARTS) or missing_lora()


def require(backend: str, reason: str | None) -> Path:
    """Return the folder of the model, when *reason* is None.

    Raises:
        BackendUnavailable: *backend* cannot run here, for that reason.
    """
    folder = weights.folder()
    if reason is not None or folder is None:
        raise BackendUnavailable(f"backend {backend!r} cannot run here: {reason}")
    return folder


def cannot_compute(device: Device) -> str | None:
    """Say that there is no card, where the processor was not asked for."""
    if not device.gpus and settings.load().device != "cpu":
        return "there is no CUDA card; UNDERCARD_DEVICE=cpu computes on the processor, in hours a keyframe"
    return None


def missing_packages(needed: Sequence[str], extra: str = "gpu") -> str | None:
    """Say which of the packages *needed* are not installed, and which *extra* of undercard brings them."""
    if absent := [name for name in needed if importlib.util.find_spec(name) is None]:
        return f"{', '.join(absent)} is not installed; run pip install 'undercard[{extra}]'"
    return None


def missing_parts(folder: Path | None, parts: Sequence[str]) -> str | None:
    """Say which *parts* of a model the *folder* lacks."""
    if folder is None:
        return "there are no weights; set UNDERCARD_MODEL to a folder of Qwen-Image-Edit in diffusers' layout"
    if absent := [part for part in parts if not (folder / part).is_dir()]:
        return f"{folder} has no folder {', '.join(absent)}; set UNDERCARD_MODEL to a whole Qwen-Image-Edit"
    return None


def missing_lora(backend: str = "") -> str | None:
    """Say that the LoRA that is to be added is not there."""
    lora = weights.lora(backend)
    if lora is not None and not lora.is_file():
        return f"{lora} is no file; set UNDERCARD_LORA to a LoRA's safetensors, or leave it out"
    return None


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


def told_architecture() -> Architecture:
    """Return the measures of the model in the settings' folder, the published ones where there is none."""
    folder = weights.folder()
    return QWEN_IMAGE_EDIT if folder is None else architecture(config_of(folder))

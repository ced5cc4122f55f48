"""What the backends with a file of quantised weights have in common: the engine with that file, behind the contract.

The transformer comes from the file; the text encoder, the autoencoder, the processor and the transformer's config from
the model's folder.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial

from undercard.backends import Renderer, Rung, Work
from undercard.backends.qwen.bf16 import (
    config_of,
    heeded,
    in_other_steps,
    missing,
    place_of,
    require,
    told_architecture,
)
from undercard.backends.qwen.costs import STORAGES, Storage
from undercard.backends.qwen.rungs import fastest_first, rung_from_disk, rungs_for
from undercard.domain.unavailable import Cause, Unavailable, from_error
from undercard.errors import BadCheckpoint
from undercard.hardware.devices import Device
from undercard.models import lightning, weights
from undercard.models.fingerprint import recipe
from undercard.models.quantised_files import Contents, Kind, contents, low_rank_bytes, mismatch
from undercard.models.weights import Weights
from undercard.settings import Settings
from undercard.store import Store


@dataclass(frozen=True, slots=True)
class Way:
    """How the engine computes with the file on a device."""

    storage: Storage
    note: str = ""
    """What sets it apart from other devices' ways, for the rung's detail."""
    four_bits: bool = False
    """With activations in four bits too, by comfy-kitchen's kernels."""


@dataclass(frozen=True, slots=True)
class QuantisedBackend:
    """The engine with its blocks as they lie in a file."""

    name: str
    kind: Kind
    """Of the file."""
    usual: str
    """The storage that is planned with where there is no file to ask."""
    revision: int = 1
    exact: bool = field(default=False, init=False)
    family: str = field(default="qwen-image-edit", init=False)
    prompted: bool = field(default=True, init=False)
    draws_itself: bool = field(default=False, init=False)
    animates: bool = field(default=False, init=False)
    in_child: bool = field(default=True, init=False)

    @property
    def reads_from_disk(self) -> bool:
        """Blocks can be read at each step: they need no work beside reading."""
        return True

    def recipe(self, settings: Settings, steps: int = 0) -> str:
        """Return what decides its pixels: the file for *steps* steps in place of the folder's weights, and guidance."""
        return recipe(self.name, settings, steps=steps, guidance=lightning.guidance(self.name, settings))

    def way(self, device: Device, settings: Settings) -> Way:
        """Return how the engine computes with the file on *device*."""
        return Way(self.storage(STORAGES[self.usual], settings))

    def storage(self, usual: Storage, settings: Settings) -> Storage:
        """Return *usual* with the bytes that a weight takes in the file, if it is there, and a LoRA's beside it."""
        found = self._contents(settings)
        if isinstance(found, Unavailable):
            return usual
        lora = weights.lora(self.name, settings)
        beside = low_rank_bytes(lora) / (found.model.blocks * found.model.block_weights) if lora else 0.0
        return replace(usual, bytes_a_weight=found.bytes_a_weight + beside, lora=lora is not None)

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        """Return the engine with as many blocks on the card as fit, with fewer, and with none; also from disk."""
        steps, passes = weights.steps(self.name, settings), lightning.passes(self.name, settings)
        model, way = told_architecture(self.name, settings), self.way(device, settings)
        rungs = rungs_for(way.storage, self.name, work, device, steps=steps, model=model, passes=passes)
        if self.reads_from_disk:
            from_disk = rung_from_disk(way.storage, self.name, work, device, steps=steps, model=model, passes=passes)
            rungs = fastest_first((*rungs, *from_disk))
        noted = [replace(rung, detail=f"{way.note}, {rung.detail}") for rung in rungs] if way.note else rungs
        return tuple(noted)

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        """Say what is missing or does not fit: a card, the packages, a part of the model, or the file."""
        return missing(self.name, device, settings) or self._wrong_file(settings)

    def heeds(self, settings: Settings) -> frozenset[str]:
        """Return what it can do otherwise: decode whole, and more steps where it has the file or LoRA for them."""
        return heeded(self.name, settings)

    def open(self, device: Device, rung: Rung, settings: Settings) -> AbstractContextManager[Renderer]:
        """Open the engine as *rung* says.

        Raises:
            BackendUnavailable: it cannot run here.
            BadCheckpoint: a file is not what its header promises; nothing was loaded.
        """
        found = require(self.name, self.unavailable(device, settings), settings)
        # Only a backend that opens needs torch.
        from undercard.backends.qwen import renderer
        from undercard.engine.card import device_at
        from undercard.engine.stages.opening import Model

        def model(found: Weights) -> Model:
            return Model(
                folder=found.folder,
                codec="bf16",
                steps=found.steps,
                device=device_at(place_of(device)),
                store=Store(settings.store_root),
                lora=found.lora,
                lora_strength=found.lora_strength,
                file=found.transformer,
                four_bits=self.way(device, settings).four_bits,
                guidance=lightning.guidance(self.name, settings),
            )

        others = [model(other) for other in in_other_steps(self.name, settings)]
        return renderer.opened(model(found), rung, partial(self.recipe, settings), others)

    def _wrong_file(self, settings: Settings) -> Unavailable | None:
        found = self._contents(settings)
        if isinstance(found, Unavailable):
            return found
        if found.kind != self.kind:
            what = f"{found.path} is a file of {found.kind}, not {self.kind}"
            return Unavailable(what, f"set {weights.setting(self.name)} to one", Cause.WRONG_FILE)
        folder = weights.folder(self.name, settings)
        return mismatch(found, config_of(folder)) if folder is not None else None

    def _contents(self, settings: Settings) -> Contents | Unavailable:
        """Return what the file holds, or why that cannot be told."""
        file = weights.quantised(self.name, settings)
        if file is None or not file.is_file():
            return Unavailable(f"there is no file of {self.kind}", weights.remedy(self.name), Cause.MISSING_WEIGHTS)
        try:
            return contents(file)
        except BadCheckpoint as exc:
            return from_error(exc, Cause.WRONG_FILE)

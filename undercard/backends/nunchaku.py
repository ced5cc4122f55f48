"""Qwen-Image-Edit from nunchaku's int4 files: in four bits where the card is fast at it, decoded to bf16 elsewhere."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from undercard.backends.qwen.costs import STORAGES
from undercard.backends.qwen.quantised import QuantisedBackend, Way
from undercard.hardware.devices import Device, Gpu
from undercard.models import weights
from undercard.models.quantised_files import Kind
from undercard.settings import Settings

INT4_CARDS = frozenset({(8, 0), (8, 6), (8, 7), (8, 9), (12, 0), (12, 1)})
"""Compute capabilities for which comfy-kitchen has kernels that are meant to be fast. Hopper emulates int4, at a tenth
of the speed; Turing has it, but no kernel. When they open, they are tried and timed (engine/four_bit_kernels.py)."""


@dataclass(frozen=True, slots=True)
class NunchakuBackend(QuantisedBackend):
    """Files of SVDQuant."""

    @property
    def reads_from_disk(self) -> bool:
        """No: each tensor is brought into another order when it is read, which takes longer than a step."""
        return False

    def way(self, device: Device, settings: Settings) -> Way:
        """Return four bits where the card has them in its tensor cores, else decoding, with the reason."""
        if device.gpu is None:
            return Way(self.storage(STORAGES[self.usual], settings), "decoded to bf16")
        if reason := self._why_decoded(device.gpu, settings):
            return Way(self.storage(STORAGES[self.usual], settings), f"decoded to bf16 ({reason})")
        return Way(self.storage(STORAGES["svdq-int4-as-it-lies"], settings), "int4 kernels", four_bits=True)

    def _why_decoded(self, gpu: Gpu, settings: Settings) -> str:
        if gpu.capability not in INT4_CARDS:
            major, minor = gpu.capability
            return f"no fast int4 kernel for sm_{major}{minor}"
        if importlib.util.find_spec("comfy_kitchen") is None:
            return "comfy-kitchen is not installed"
        return "a LoRA is added" if weights.lora(self.name, settings) is not None else ""


BACKEND = NunchakuBackend("nunchaku", Kind.NUNCHAKU, usual="svdq-int4")

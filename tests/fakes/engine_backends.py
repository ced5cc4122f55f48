"""Backends for tests of planning: the engine's costs with nothing behind them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from undercard.backends import Renderer, Rung, Work
from undercard.backends.qwen.costs import STORAGES
from undercard.backends.qwen.rungs import rungs_for
from undercard.domain.unavailable import Unavailable
from undercard.hardware.devices import Device
from undercard.settings import Settings


@dataclass
class Planned:
    """A backend that can be planned with, and never opened."""

    name: str = "bf16"
    exact: bool = True
    missing: Unavailable | None = None
    family: str = "qwen-image-edit"
    revision: int = 1
    prompted: bool = True
    draws_itself: bool = False
    animates: bool = False
    in_child: bool = True
    storage: str = ""
    """Its own name by default."""

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        return rungs_for(STORAGES[self.storage or self.name], self.name, work, device)

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        return self.missing

    def open(self, device: Device, rung: Rung, settings: Settings) -> AbstractContextManager[Renderer]:
        raise NotImplementedError

"""The engine's exact backend on a card whose room shrinks while a film is made: torch's own cap, which its plan misses.

After every second take of the film the cap is lower. What the engine then asks for runs out of memory for real.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from undercard.backends import Rendered, Renderer, Rung, Work
from undercard.backends.bf16 import BACKEND as BF16
from undercard.domain.requests import RenderRequest
from undercard.domain.unavailable import Unavailable
from undercard.hardware.devices import Device
from undercard.settings import Settings
from undercard.store import Store

GB = 1_000_000_000
CAPS = (10.0, 10.0, 5.5, 5.5, 3.0)
"""GB that may be allocated once so many takes are made; the last from then on. Of test_film_gpu's model they hold all
that the planner keeps on the card, five blocks, and none."""


class SqueezedRenderer:
    """The engine, with less and less to allocate."""

    def __init__(self, engine: Renderer, rung: Rung, store: Store) -> None:
        self.engine, self.rung, self.store = engine, rung, store

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        self.engine.encode(requests)

    def render(self, request: RenderRequest) -> Rendered:
        import torch

        made = len(list((self.store.root / "results").glob("take-*")))
        cap_bytes = min(self.rung.vram_limit, int(CAPS[min(made, len(CAPS) - 1)] * GB))
        # What the allocator keeps from the picture before would hide that the cap is lower.
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(cap_bytes / total, 0)
        return self.engine.render(request)


@dataclass(frozen=True, slots=True)
class SqueezedBackend:
    """The backend; its rungs are those of `bf16`."""

    name: str = "squeezed"
    exact: bool = True
    family: str = "qwen-image-edit"
    revision: int = 1
    prompted: bool = True
    draws_itself: bool = False
    animates: bool = False
    in_child: bool = True

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        in_memory = (rung for rung in BF16.rungs(work, device, settings) if not rung.from_disk)
        return tuple(replace(rung, backend=self.name) for rung in in_memory)

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        return BF16.unavailable(device, settings)

    @contextmanager
    def open(self, device: Device, rung: Rung, settings: Settings) -> Iterator[Renderer]:
        with BF16.open(device, rung, settings) as engine:
            yield SqueezedRenderer(engine, rung, Store(settings.store_root))


BACKEND = SqueezedBackend()

"""A backend that fills a real card: its rungs take what they say, and prompts make it want more, or crash it.

Only torch and a card are needed, no weights. A prompt with `greedy` allocates past the rung's limit on rungs of more
than 5 GB; one with `assert` reads past the end of a tensor, which the driver answers with a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image

from undercard.backends import Needs, Rendered, Renderer, Rung, Work
from undercard.domain import progress
from undercard.domain.requests import RenderRequest
from undercard.domain.unavailable import Cause, Unavailable
from undercard.hardware.devices import Device
from undercard.settings import Settings
from undercard.store import Store

GB = 1_000_000_000


class GreedyRenderer:
    """Holds the rung's memory while it renders, and gives back the control image."""

    def __init__(self, rung: Rung, store: Store) -> None:
        self.rung = rung
        self.store = store

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        """Nothing is encoded."""

    def render(self, request: RenderRequest) -> Rendered:
        import torch

        from undercard.engine.faults import stage

        progress.tell("denoise", 1, 4)
        with stage("denoise"):
            held = torch.empty(int(self.rung.needs.vram_bytes * 0.95), dtype=torch.uint8, device="cuda")
            if "greedy" in request.prompt and self.rung.needs.vram_bytes > 5 * GB:
                torch.empty(self.rung.vram_limit, dtype=torch.uint8, device="cuda")
            if "assert" in request.prompt:
                held[torch.tensor([held.numel() + 5], device="cuda")].cpu()
            torch.cuda.synchronize()
        with Image.open(self.store.find(request.references[0], ".png")) as control:
            return Rendered(control.convert("RGB"), 0.1, torch.cuda.max_memory_allocated())


@dataclass(frozen=True, slots=True)
class GreedyBackend:
    """The backend."""

    name: str = "greedy"
    exact: bool = True
    family: str = "qwen-image-edit"
    revision: int = 1
    prompted: bool = True
    draws_itself: bool = False
    animates: bool = False
    in_child: bool = True

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        return tuple(
            Rung(
                self.name,
                exact=True,
                needs=Needs(vram * GB, GB, seconds),
                detail=f"{vram} GB",
                vram_limit=int(1.05 * vram * GB),
            )
            for vram, seconds in ((7, 1.0), (4, 1.1), (2, 1.2))
        )

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        return None if device.gpus else Unavailable("there is no graphics card", "put one in", Cause.NO_CARD)

    @contextmanager
    def open(self, device: Device, rung: Rung, settings: Settings) -> Iterator[Renderer]:
        import torch

        # A real out-of-memory, as on a card of that size.
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(rung.vram_limit / total)
        yield GreedyRenderer(rung, Store(settings.store_root))


BACKEND = GreedyBackend()

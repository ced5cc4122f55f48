"""Somebody else's engine as a renderer: it is asked for a picture at a time, and its errors become undercard's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from PIL.Image import Image

from undercard.backends import Rendered, Rung
from undercard.domain import progress
from undercard.domain.canvas import middle
from undercard.domain.requests import RenderRequest
from undercard.engine import card
from undercard.engine.faults import stage
from undercard.hardware.host_memory import peak_host_bytes

Draw: TypeAlias = Callable[[RenderRequest], Image]
"""Returns the request's picture on its canvas, RGB; raises what torch raises, or what `faults.stage` makes of it."""
Load: TypeAlias = Callable[[torch.device, ExitStack], Draw]
"""Loads an engine onto a device; what has to be undone or freed goes onto the stack."""


@dataclass(slots=True)
class BorrowedRenderer:
    """Renders on one device; threads take turns."""

    draw: Draw
    device: torch.device
    lock: threading.Lock = field(default_factory=threading.Lock)

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        """Prepare nothing: these engines read a prompt with the picture that it is for."""

    def render(self, request: RenderRequest) -> Rendered:
        """Render *request*.

        Raises:
            OutOfMemory: the device's memory ran out.
            DeviceFault: the device failed.
            BackendError: the request names no reference.
            MissingObject: a reference is gone from the store.
        """
        with self.lock:
            start = time.monotonic()
            card.forget_peak(self.device)
            with stage("denoise"):
                picture = self.draw(request)
            return Rendered(
                image=middle(picture, request.size).convert("RGB"),
                seconds=time.monotonic() - start,
                peak_vram_bytes=card.peak_bytes(self.device),
                peak_host_bytes=peak_host_bytes(),
            )


@contextmanager
def opened(load: Load, place: str, rung: Rung) -> Iterator[BorrowedRenderer]:
    """Load an engine as *rung* says; leaving the context frees what it holds.

    Args:
        load: loads it.
        place: where to compute, as torch calls it.
        rung: with the bytes that it may take there.

    Raises:
        OutOfMemory: in the stage `open`.
        BadCheckpoint: the weights are not what they are taken for.
    """
    device = card.numbered(torch.device(place))
    card.limit(device, rung.vram_limit)
    with ExitStack() as resources:
        progress.tell("open")
        with stage("open"):
            draw = load(device, resources)
        yield BorrowedRenderer(draw, device)

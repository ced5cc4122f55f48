"""A backend that goes wrong on purpose, found by its folder like any other: the previz with planted faults.

A shot's prompt tells it what to do: `fault: crash` raises, `fault: blank` gives a black picture, and
`fault: blank once` does so on the first take only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from PIL import Image

from undercard.backends import Rendered, Renderer, Rung, Work
from undercard.backends.previz import BACKEND as PREVIZ
from undercard.domain.requests import RenderRequest
from undercard.domain.unavailable import Unavailable
from undercard.errors import BackendError
from undercard.hardware.devices import Device
from undercard.planning.keyframe import SEED_STRIDE
from undercard.settings import Settings


class FaultyRenderer:
    """Renders what the prompt does not forbid."""

    def __init__(self, previz: Renderer) -> None:
        self.previz = previz

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        self.previz.encode(requests)

    def render(self, request: RenderRequest) -> Rendered:
        if "fault: crash" in request.prompt:
            raise BackendError("the card fell off")
        first_take = request.seed < SEED_STRIDE
        if "fault: blank once" in request.prompt and first_take:
            return Rendered(Image.new("RGB", request.size), seconds=0.0)
        if "fault: blank always" in request.prompt:
            return Rendered(Image.new("RGB", request.size), seconds=0.0)
        return self.previz.render(request)


class Faulty:
    """The backend."""

    name = "faulty"
    family = "faulty"
    revision = 1
    exact = False
    prompted = True
    draws_itself = False
    animates = True
    in_child = False

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        return tuple(replace(rung, backend=self.name) for rung in PREVIZ.rungs(work, device, settings))

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        return None

    @contextmanager
    def open(self, device: Device, rung: Rung, settings: Settings) -> Iterator[Renderer]:
        with PREVIZ.open(device, rung, settings) as previz:
            yield FaultyRenderer(previz)


BACKEND = Faulty()

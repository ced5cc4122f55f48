"""The embedded backend: draws the staging itself, so that a film can be made with no GPU and no weights."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from PIL import Image

from undercard.backends import Needs, Rendered, Rung, Work
from undercard.domain.requests import RenderRequest
from undercard.domain.unavailable import Unavailable
from undercard.hardware.devices import Device
from undercard.settings import Settings

_CORE_SECONDS_A_MEGAPIXEL = 1.35
"""Processor seconds for a million pixels, measured from 512×288 to 1920×1080 (benchmarks/results/previz.json)."""
_CORE_SECONDS_A_FRAME = 0.32
"""Posing, building the tree and what else does not grow with the picture."""
_BASE_BYTES = 330_000_000
"""The process with its compiled kernels, the arena and the meshes, measured at 512×288."""
_BYTES_A_PIXEL = 150
"""Every buffer of one drawing together, measured between 512×288 and 1920×1080."""


@dataclass(frozen=True, slots=True)
class _Renderer:
    """Draws requests; two threads keep two cores busy, since posing and building the tree hold the GIL."""

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        """Nothing to prepare: a staging is all that a drawing needs."""

    def render(self, request: RenderRequest) -> Rendered:
        """Draw the request's staging."""
        # Only a backend that renders needs the renderer's compiler.
        from undercard.previz.render import draw

        start = time.monotonic()
        image = draw(request.staging, request.size, request.seed).image
        return Rendered(Image.fromarray(image), time.monotonic() - start)


@dataclass(frozen=True, slots=True)
class PrevizBackend:
    """The ray tracer of undercard/previz behind the contract of every backend."""

    name: str = "previz"
    family: str = "previz"
    revision: int = 2
    exact: bool = False
    prompted: bool = False
    draws_itself: bool = True
    animates: bool = True
    in_child: bool = False

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        """Return its one way to draw; seconds and memory, as measured, both grow with the number of pixels."""
        pixels = work.size[0] * work.size[1]
        core_seconds = _CORE_SECONDS_A_FRAME + _CORE_SECONDS_A_MEGAPIXEL * pixels / 1e6
        host_bytes = _BASE_BYTES + _BYTES_A_PIXEL * pixels
        needs = Needs(vram_bytes=0, host_bytes=host_bytes, seconds=core_seconds / max(device.cores, 1))
        return (Rung(self.name, exact=False, needs=needs),)

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        """Return None: it runs on any machine that undercard installs on."""
        return None

    def open(self, device: Device, rung: Rung, settings: Settings) -> AbstractContextManager[_Renderer]:
        """Open it; there is nothing to load."""
        return _open()


@contextmanager
def _open() -> Iterator[_Renderer]:
    yield _Renderer()


BACKEND = PrevizBackend()

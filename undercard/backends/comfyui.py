"""A running ComfyUI over HTTP, with its own GGUF or other files of Qwen-Image-Edit, or with the user's workflow."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from undercard.backends import Needs, Renderer, Rung, Work
from undercard.backends.qwen.costs import STORAGES, Costs
from undercard.domain.unavailable import Unavailable
from undercard.hardware import card_speed
from undercard.hardware.devices import Device, Gpu
from undercard.settings import Settings

_SLOWNESS = 6.0
"""A step of ComfyUI 0.33 with GGUF Q4_K_M against the arithmetic alone: 1.74 s on an H100 with 10 GB free
(benchmarks/results/backends.h100.json), where the arithmetic takes 0.289 s."""
_REST_SECONDS = 0.6
"""Encoding and decoding of a keyframe on that H100, an estimate: two prompts, the references, the picture."""
_ENCODER_WEIGHTS = 8.3e9
"""Of Qwen2.5-VL 7B: two operations each and a token, twice a keyframe, where the processor encodes."""
_OPEN_SECONDS = 15.0
"""Until the server has read its weights: the first picture took 23.3 s there, 7 of them in steps."""
_CARD_BYTES, _CARD_BYTES_A_PIXEL = 6_000_000_000, 2_000
_SPARING_BYTES, _SPARING_BYTES_A_PIXEL = 5_000_000_000, 1_000
"""What Q4_K_M wants of the server's card: 8 and 6 GB at 1024², as its users report. The server does with less, and
is slower then."""
_HOST_BYTES, _HOST_BYTES_A_PIXEL = 150_000_000, 60
"""Of this process, which only sends and receives."""
_SOME_CARD = Gpu(0, "a card that cannot be seen from here", 8 * 2**30, 8 * 2**30, (8, 6))
"""What the server is taken to render on where this machine has no card."""


@dataclass(frozen=True, slots=True)
class ComfyBackend:
    """A server of the user's, on this machine unless the settings say otherwise."""

    name: str = "comfyui"
    family: str = "qwen-image-edit"
    revision: int = 1
    exact: bool = False
    prompted: bool = True
    draws_itself: bool = False
    animates: bool = False
    in_child: bool = True

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        """Return the server as it likes it, and with as little of its card as it can do with.

        A workflow of the user's has one way, its own.
        """
        # Only who asks for it needs the network's libraries.
        from undercard.backends.comfy import server

        wanted = server.wishes(settings)
        way = server.look(wanted).way
        detail = way.detail if way is not None else ""
        usual = Rung(self.name, exact=False, needs=_needs(work, device, wanted.steps), detail=detail, served=True)
        if wanted.workflow is not None:
            return (usual,)
        sparing = Rung(
            self.name,
            exact=False,
            needs=_needs(work, device, wanted.steps, sparing=True),
            detail=f"{detail}, sparing".removeprefix(", "),
            served=True,
            sparing=True,
        )
        return usual, sparing

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        """Say that no server answers, or what it lacks; in two seconds at the most."""
        from undercard.backends.comfy import server

        return server.look(server.wishes(settings)).reason

    def recipe(self, settings: Settings, steps: int = 0) -> str:
        """Return the steps and the digest of the workflow, or of the names of the files that the server has.

        They are the same for other *steps*, which its own graph takes with the LoRA that it has.
        """
        from undercard.backends.comfy import server

        return server.recipe(server.wishes(settings))

    def heeds(self, settings: Settings) -> frozenset[str]:
        """Return what its own graph has room for; what a workflow of the user's makes of a request is its own."""
        from undercard.backends.comfy import server

        return frozenset({"steps", "whole"}) if server.wishes(settings).workflow is None else frozenset()

    def open(self, device: Device, rung: Rung, settings: Settings) -> AbstractContextManager[Renderer]:
        """Open a connection; the server opens its model at the first picture.

        Raises:
            BackendUnavailable: the server lacks something, or cannot execute the workflow.
            DeviceFault: it does not answer.
        """
        from undercard.backends.comfy import renderer, server
        from undercard.backends.comfy.patience import patiently

        wanted = server.wishes(settings)
        way = patiently(lambda: server.present(wanted), wanted.wait_seconds)
        return renderer.opened(way, wanted, sparing=rung.sparing)


def _needs(work: Work, device: Device, steps: int, *, sparing: bool = False) -> Needs:
    """Return what a keyframe takes: of the server's card, which is taken for this machine's, and of this process."""
    gpu = device.gpu or _SOME_CARD
    costs = Costs(STORAGES["gguf-q4-k"], work, steps)
    pixels = work.size[0] * work.size[1]
    step = _SLOWNESS * costs.step_operations / (card_speed.EFFICIENCY * card_speed.tensor_rate(gpu))
    seconds = steps * step + _REST_SECONDS * card_speed.slowness(gpu)
    vram = _CARD_BYTES + _CARD_BYTES_A_PIXEL * pixels
    if sparing:
        encoding = 2 * 2 * _ENCODER_WEIGHTS * costs.text_tokens
        seconds += encoding / (card_speed.CPU_CORE_RATE * max(device.cores, 1))
        vram = _SPARING_BYTES + _SPARING_BYTES_A_PIXEL * pixels
    return Needs(vram, _HOST_BYTES + _HOST_BYTES_A_PIXEL * pixels, seconds, _OPEN_SECONDS)


BACKEND = ComfyBackend()

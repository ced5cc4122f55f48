"""Prove that a backend works on this machine: open it and render one small picture."""

from __future__ import annotations

import time
from dataclasses import dataclass

from undercard import backends
from undercard.backends import Work
from undercard.devices import Device
from undercard.errors import BackendError, BackendUnavailable
from undercard.previz import cameras, poses
from undercard.requests import RenderRequest
from undercard.staging import Look, PlacedFighter, Staging

PROOF_SIZE = (256, 144)


@dataclass(frozen=True, slots=True)
class Proof:
    """A backend that rendered a picture here."""

    backend: str
    open_seconds: float
    """Opening it, with the weights it loads."""
    first_seconds: float
    """Its first picture, with what is compiled for it."""
    second_seconds: float
    """Its second picture: what every further one takes at this size."""


def prove(name: str, device: Device) -> Proof:
    """Render with the backend called *name* and return how long it took.

    Raises:
        UnknownBackend: there is no such backend.
        BackendUnavailable: it cannot run here.
        BackendError: it ran and gave a picture of another size.
    """
    backend = backends.backend(name)
    reason = backend.unavailable(device)
    if reason is not None:
        raise BackendUnavailable(f"backend {name!r} cannot run here: {reason}")
    renderer_name = "" if backend.exact else f"{backend.name} {backend.revision}"
    requests = [_request(renderer_name, seed) for seed in (1, 2)]
    start = time.monotonic()
    rung = backends.fastest(name, Work(PROOF_SIZE), device)
    with backend.open(device, rung) as renderer:
        opened = time.monotonic()
        renderer.encode(requests)
        seconds = []
        for request in requests:
            began = time.monotonic()
            image = renderer.render(request).image
            seconds.append(time.monotonic() - began)
            if image.size != PROOF_SIZE:
                raise BackendError(f"backend {name!r} gave {image.size} px where {PROOF_SIZE} was asked for")
    return Proof(name, opened - start, seconds[0], seconds[1])


def _request(renderer: str, seed: int) -> RenderRequest:
    look = Look(skin="#8d5a3c", trunks="#b01820", gloves="#b01820", boots="#202024", hair="#1a1210")
    fighter = PlacedFighter("proof", "red", look, "orthodox", poses.pose("guard"), (0.0, 0.0), 0.0)
    staging = Staging(camera=cameras.camera("wide", [fighter]), fighters=(fighter,), light="stage")
    return RenderRequest("a boxer in a ring", "", seed, PROOF_SIZE, staging, renderer)

"""Prove that a backend works on this machine: open it and render one small picture."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass

from undercard import backends
from undercard.backends import Backend, Renderer, Rung, Work
from undercard.domain.requests import RenderRequest
from undercard.domain.staging import Look, PlacedFighter, Staging
from undercard.errors import BackendError, BackendUnavailable
from undercard.hardware.devices import Device
from undercard.planning import measurements, rungs
from undercard.planning.choose import AUTO, choose
from undercard.previz import cameras, poses
from undercard.production.keyframes.conditioning import conditioned, control_request, draw_control
from undercard.production.sessions.session import Session, alone_on
from undercard.settings import Settings
from undercard.store import Store

PROOF_SIZE = (256, 144)


@dataclass(frozen=True, slots=True)
class Proof:
    """A backend that rendered a picture here."""

    backend: str
    open_seconds: float
    """Opening it, with the weights it loads; a backend in a process of its own opens at its first picture."""
    first_seconds: float
    """Its first picture, with what is compiled for it."""
    second_seconds: float
    """Its second picture: what every further one takes at this size."""


def prove(name: str, device: Device, settings: Settings) -> Proof:
    """Render with the backend called *name*, or the one that `auto` takes, and return how long it took.

    Raises:
        UnknownBackend: there is no such backend.
        BackendUnavailable: it cannot run here.
        BackendError: it ran and gave a picture of another size.
    """
    if name == AUTO:
        name = choose(AUTO, Work(PROOF_SIZE), device, settings, exact=False).names[0]
    backend = backends.backend(name)
    reason = backend.unavailable(device, settings)
    if reason is not None:
        raise BackendUnavailable(f"backend {name!r} cannot run here: {reason}")
    known = measurements.history(Store(settings.store_root))
    found = rungs.ladder([backend], Work(PROOF_SIZE), device, settings, known=known)
    rung = next((fit.rung for fit in found if fit.fits), None)
    if rung is None:
        raise BackendUnavailable(f"backend {name!r} does not fit here now: {found[0].reason}")
    requests = [_request(rung, seed, settings) for seed in (1, 2)]
    start = time.monotonic()
    with _opened(backend, device, rung, settings) as renderer:
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


def _opened(backend: Backend, device: Device, rung: Rung, settings: Settings) -> AbstractContextManager[Renderer]:
    if not backend.in_child:
        return backend.open(device, rung, settings)
    return Session(rung, alone_on(device, device.gpu), settings)


def _request(rung: Rung, seed: int, settings: Settings) -> RenderRequest:
    look = Look(skin="#8d5a3c", trunks="#b01820", gloves="#b01820", boots="#202024", hair="#1a1210")
    fighter = PlacedFighter("proof", "red", look, "orthodox", poses.pose("guard"), (0.0, 0.0), 0.0)
    staging = Staging(camera=cameras.camera("wide", [fighter]), fighters=(fighter,), light="stage")
    renderer = backends.renderer_name(rung.backend, settings, exact=rung.exact)
    request = RenderRequest("a boxer in a ring", "", seed, PROOF_SIZE, staging, renderer)
    if not backends.backend(rung.backend).prompted:
        return request
    store = Store(settings.store_root)
    return conditioned(request, draw_control(control_request(request), store), store)

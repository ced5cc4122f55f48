"""The lanes of a run: each renders with one card, on the rung that suits the card as it is at the moment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from undercard import backends
from undercard.backends import Renderer, Rung
from undercard.domain.progress import Meter, Stage
from undercard.errors import StoreError
from undercard.hardware.devices import CONTEXT_BYTES, Device, Gpu
from undercard.hardware.probe import tenants
from undercard.planning import choose, rungs
from undercard.planning.ladder import Ways, keeps
from undercard.planning.plan import Plan
from undercard.production.runtime import Log
from undercard.production.sessions.session import Session, alone_on
from undercard.production.turns import turn

UNLIMITED = 1_000_000


@dataclass(slots=True)
class Lane:
    """One card, or the processor, with at most one rung open on it; a context manager that closes it."""

    plan: Plan
    gpu: Gpu | None
    look: Callable[[], Device]
    meter: Meter
    log: Log
    capacity: int = 1
    """Pictures that are asked for at once."""
    running: int = 0
    label: str = ""
    """Of the keyframe that it renders."""
    rung: Rung | None = None
    renderer: Renderer | None = None
    stand_in: Renderer | None = None
    """Draws what no rung of the model can."""
    stack: ExitStack = field(default_factory=ExitStack)
    owned: ExitStack | None = None
    """Held for as long as the card is this run's."""

    def __enter__(self) -> Lane:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()
        if self.owned is not None:
            self.owned.close()

    @property
    def has_room(self) -> bool:
        """Another picture can be asked for."""
        return self.running < self.capacity

    def ways(self, keyframes: int, wanted: str | None) -> Ways:
        """Look at the card as it is now and return the rungs there, with the open one first where it is kept.

        Args:
            keyframes: how many are left to render.
            wanted: the kind of pixels that the film has, or was asked for.
        """
        if not self.plan.in_child:
            return Ways(
                now=backends.backend(self.plan.backend).rungs(self.plan.work, self.plan.device, self.plan.settings)
            )
        self._own()
        device = self._mine(self.look())
        plan = self.plan
        found = choose.ways(plan.backends, plan.work, device, plan.settings, exact=plan.exact, wanted=wanted)
        current = self.rung
        if current is None or current.backend not in self.plan.backends or rungs.misfit(current, device) is not None:
            return found
        others = tuple(rung for rung in found.now if rung.label != current.label)
        if found.now and not keeps(current, found.now[0], keyframes):
            # It stays an option: a keyframe may not be allowed on the better one.
            return replace(found, now=(found.now[0], current, *(rung for rung in others if rung != found.now[0])))
        return replace(found, now=(current, *others))

    def take_up(self, rung: Rung) -> Renderer:
        """Return a renderer on *rung*; what was open on another is closed, unless *rung* needs no card.

        Raises:
            BackendError: a backend of this process could not be opened.
        """
        if self.plan.in_child and not backends.backend(rung.backend).in_child:
            # A stand-in for one keyframe is no reason to load the model again for the next.
            self.stand_in = self.stand_in or self._opened(rung)
            return self.stand_in
        if self.renderer is None or self.rung is None or rung.label != self.rung.label:
            self.close()
            self.rung, self.renderer = rung, self._opened(rung)
        return self.renderer

    def close(self) -> None:
        """Close what is open."""
        self.stack.close()
        self.rung = self.renderer = self.stand_in = None

    def _opened(self, rung: Rung) -> Renderer:
        backend = backends.backend(rung.backend)
        if not backend.in_child:
            return self.stack.enter_context(backend.open(self.plan.device, rung, self.plan.settings))
        device = alone_on(self.look(), self.gpu and self._card(self.look()))
        session = Session(rung, device, self.plan.settings, listen=self._heard, look=self.look)
        return self.stack.enter_context(session)

    def _own(self) -> None:
        """Wait until no other run of this machine uses the card: each plans with all that is free on it."""
        if self.gpu is None or self.owned is not None:
            return
        self.owned = ExitStack()
        path = self.plan.settings.turns / f"card-{self.gpu.uuid or self.gpu.index}"
        try:
            self.owned.enter_context(turn(path, self._say_that_it_waits))
        except StoreError as exc:
            # Such as a folder of another user's.
            self.log.warning("other runs may use %s at the same time: %s", self.gpu.name, exc)

    def _say_that_it_waits(self) -> None:
        assert self.gpu is not None
        self.log.warning("waiting for another run of this machine to leave %s", self.gpu.name)
        self.meter.say(f"waiting for {self.gpu.name}")

    def _heard(self, stage: Stage) -> None:
        self.meter.say(f"{self.label} · {stage}")

    def _card(self, device: Device) -> Gpu | None:
        gpu = self.gpu
        return next(
            (one for one in device.gpus if gpu is not None and (one.uuid, one.index) == (gpu.uuid, gpu.index)), None
        )

    def _mine(self, device: Device) -> Device:
        """Return *device* as this lane may use it: with its own card, on which what its child holds counts as free."""
        card = self._card(device)
        if card is None:
            # The processor, or a card that fell off the bus.
            return replace(device, gpus=())
        held, host = self._held(card)
        free = min(card.total_bytes, card.free_bytes + held)
        # 0 stands for unknown, and stays so.
        host_free = device.host_free_bytes and device.host_free_bytes + host
        return replace(device.alone(replace(card, free_bytes=free)), host_free_bytes=host_free)

    def _held(self, card: Gpu) -> tuple[int, int]:
        """Return what the child holds on *card* and of the host, in bytes."""
        if not isinstance(self.renderer, Session) or self.renderer.child is None or self.rung is None:
            return 0, 0
        if self.rung.served:
            return 0, self.rung.needs.host_bytes
        seen = sum(tenant.used_bytes for tenant in tenants(card) if tenant.ours)
        # Where the driver does not say who holds what, the child has what it was promised.
        return seen or self.rung.needs.vram_bytes + CONTEXT_BYTES, self.rung.needs.host_bytes


def lanes_of(plan: Plan, look: Callable[[], Device], meter: Meter, log: Log) -> list[Lane]:
    """Return a lane for each card of *plan*'s machine; one for the processor where there is none, or none is used."""
    if not plan.in_child:
        return [Lane(plan, None, look, meter, log, capacity=UNLIMITED)]
    return [Lane(plan, gpu, look, meter, log) for gpu in plan.device.gpus] or [Lane(plan, None, look, meter, log)]

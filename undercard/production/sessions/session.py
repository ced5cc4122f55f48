"""One open backend in a child process: whatever becomes of it, the run goes on and knows why.

A child is started as a new program, never forked: CUDA does not survive a fork. Requests and pictures cross a pipe as
plain values. The child ends by itself when its parent is gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from PIL import Image

from undercard import backends
from undercard.backends import Rendered, Rung, Work
from undercard.domain.progress import Stage
from undercard.domain.requests import RenderRequest
from undercard.domain.units import gigabytes
from undercard.errors import BackendError, DeviceBusy, OutOfMemory, StoreError, UndercardError
from undercard.hardware import devices
from undercard.hardware.devices import CONTEXT_BYTES, Device, Gpu
from undercard.hardware.probe import this_device
from undercard.planning import measurements
from undercard.planning.ladder import is_about_the_rung
from undercard.production.sessions.child import Child
from undercard.production.sessions.worker import Encode, Opening, Picture, Ready, Render
from undercard.settings import Settings
from undercard.store import Store


@dataclass(slots=True)
class Session:
    """A backend on one rung, opened in a child process at the first picture and again after each failure.

    A context manager and a `Renderer`: safe to call from several threads, which take turns.
    """

    rung: Rung
    device: Device
    """With the one card that the child may see, or with none."""
    settings: Settings
    listen: Callable[[Stage], None] = lambda stage: None
    look: Callable[[], Device] | None = None
    """Returns the machine as it is at the moment; by default the one that this process runs on."""
    child: Child | None = None
    announced: tuple[RenderRequest, ...] = ()
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        """Note what is to come; the child prepares it before its next picture, where a failure has its place."""
        self.announced = tuple(requests)
        if self.child is not None:
            self.child.prepared = ()

    def render(self, request: RenderRequest) -> Rendered:
        """Render *request* in the child.

        Raises:
            OutOfMemory: the device's memory ran out, by no fault of others.
            DeviceBusy: it ran out, and another process holds what the rung was promised.
            HostMemoryExhausted: the child was killed.
            DeviceFault: the child crashed, or showed no sign of life for too long.
            BackendError: anything else, as the backend said it.
        """
        with self.lock:
            child = self.child = self.child or self._start()
            try:
                return self._rendered(child, request)
            except BackendError as exc:
                exc.stage = exc.stage or child.stage.name
                exc.peak_host_bytes = exc.peak_host_bytes or child.peak_host_bytes
                if is_about_the_rung(exc) or not child.serves:
                    exc.peak_vram_bytes = exc.peak_vram_bytes or self._held_bytes()
                    self._end()
                if isinstance(exc, OutOfMemory):
                    self._blame(exc)
                raise
            except UndercardError:
                raise
            except BaseException:
                # Nobody waits for what the child answers now.
                self._end()
                raise

    def close(self) -> None:
        """End the child; a picture that another thread waits for fails."""
        self._end()

    def _rendered(self, child: Child, request: RenderRequest) -> Rendered:
        if not child.opened:
            start = time.monotonic()
            child.ask(Opening(tuple(backends.__path__), self.device, self.rung, self._childs_settings()))
            child.wait(Ready, self.settings.hang_seconds)
            child.opened, child.open_seconds = True, time.monotonic() - start
        if self.announced and child.prepared != self.announced:
            child.ask(Encode(self.announced))
            child.wait(Ready, self.settings.hang_seconds)
            child.prepared = self.announced
        child.ask(Render(request))
        picture = child.wait(Picture, self.settings.hang_seconds)
        rendered = Rendered(
            image=Image.frombytes("RGB", picture.size, picture.rgb),
            seconds=picture.seconds,
            peak_vram_bytes=picture.peak_vram_bytes,
            peak_host_bytes=picture.peak_host_bytes,
            notes=picture.notes,
            tiled=picture.tiled,
        )
        self._remember(child, request, rendered)
        return rendered

    def _remember(self, child: Child, request: RenderRequest, rendered: Rendered) -> None:
        """Correct what is foreseen of this rung by what it took; a process's first picture warms it up."""
        child.pictures += 1
        # What is drawn in more steps takes longer than what is foreseen is of.
        if child.pictures > 1 and not request.steps:
            work = Work(request.size, max(1, len(request.references)))
            # A picture is not lost because a disk is full of other things.
            with suppress(StoreError):
                open_seconds = child.open_seconds if child.pictures == 2 else 0.0
                store = Store(self.settings.store_root)
                measurements.record(self.rung, work, self.device, rendered, store, open_seconds)

    def _start(self) -> Child:
        gpu = self.device.gpu
        return Child.start(devices.child_variables(gpu) if gpu else {}, self.listen)

    def _childs_settings(self) -> Settings:
        # In the child its card is the only one, and so the first.
        return self.settings.model_copy(update={"device": "auto"}) if self.device.gpu else self.settings

    def _end(self) -> None:
        child, self.child = self.child, None
        if child is not None:
            child.end()

    def _blame(self, error: OutOfMemory) -> None:
        """Raise `DeviceBusy` in place of *error* where the rung would have had its memory but for another process.

        The child is gone by now, so what is not free is somebody else's.
        """
        now = self._card()
        if now is None or self.rung.served:
            return
        needed = self.rung.needs.vram_bytes + CONTEXT_BYTES
        if now.free_bytes < needed <= now.total_bytes:
            busy = DeviceBusy(
                f"{error}; other processes hold {gigabytes(now.total_bytes - now.free_bytes)} of the card,"
                f" and {gigabytes(needed)} were needed"
            )
            busy.stage = error.stage
            busy.peak_vram_bytes, busy.peak_host_bytes = error.peak_vram_bytes, error.peak_host_bytes
            raise busy from error

    def _look(self) -> Device:
        return self.look() if self.look is not None else this_device(self.settings)

    def _card(self) -> Gpu | None:
        """Look at the card again; None where there is none."""
        planned = self.device.gpu
        return next((gpu for gpu in self._look().gpus if planned and _same(gpu, planned)), None)

    def _held_bytes(self) -> int:
        """Return what the card has less than when this session was planned, while the child still holds its part."""
        planned, now = self.device.gpu, None if self.rung.served else self._card()
        return max(0, planned.free_bytes - now.free_bytes) if planned and now else 0


def _same(gpu: Gpu, other: Gpu) -> bool:
    return gpu.uuid == other.uuid if other.uuid else gpu.index == other.index


def alone_on(device: Device, gpu: Gpu | None) -> Device:
    """Return *device* as a child sees it that may use *gpu* and no other card."""
    return device.alone(replace(gpu, index=0)) if gpu else replace(device, gpus=())

"""The contract of a backend, and the lookup that finds every file of this folder.

A backend's file defines `BACKEND`, one object of its class. To add a backend, add a file: nothing else changes, and
the contract suite in tests/backends runs over it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL.Image import Image

from undercard.domain.requests import RenderRequest, Size
from undercard.domain.unavailable import Unavailable
from undercard.errors import BackendUnavailable, UnknownBackend
from undercard.hardware.devices import Device
from undercard.models.fingerprint import recipe
from undercard.settings import Settings


@dataclass(frozen=True, slots=True)
class Work:
    """What one keyframe asks of a backend, as far as its cost goes."""

    size: Size
    references: int = 1
    """Reference images, the control image among them."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a backend takes to render one keyframe."""

    vram_bytes: int
    """Peak on the device."""
    host_bytes: int
    """Peak in host memory."""
    seconds: float
    """For a keyframe once the backend is warm."""
    open_seconds: float = 0.0
    """From opening to warm, once."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to run a backend on a device: a step of the ladder that an out-of-memory steps down."""

    backend: str
    exact: bool
    """Gives the pixels of bf16 Qwen-Image-Edit."""
    needs: Needs
    detail: str = ""
    """What sets it apart from the backend's other rungs, such as `22 of 60 blocks resident`."""
    vram_limit: int = 0
    """Bytes on the device that the backend must stay within; 0 for no limit."""
    resident_blocks: int = 0
    """Blocks of the model that stay on the device; 0 too for a backend that has none."""
    from_disk: bool = False
    """The others are read from disk at each step, for want of host memory."""
    served: bool = False
    """A server that runs already renders it, with memory that it manages itself: what this device has free says nothing
    of it, and what it needs tells it only from the backend's other rungs."""
    sparing: bool = False
    """With as little of the card as the backend can do with, at the cost of time."""
    predicted: Needs | None = None
    """What the backend foresaw, where `needs` is that corrected by what runs measured."""

    @property
    def label(self) -> str:
        """What people see: `bf16 · 22 of 60 blocks resident`."""
        return f"{self.backend} · {self.detail}" if self.detail else self.backend


@dataclass(frozen=True, slots=True)
class Rendered:
    """A picture and what it took."""

    image: Image
    """RGB, of exactly the size that was asked for."""
    seconds: float
    peak_vram_bytes: int = 0
    peak_host_bytes: int = 0
    notes: tuple[str, ...] = ()
    """What went otherwise than planned, such as `decoded in strips after an out-of-memory`."""
    tiled: bool = False
    """It was decoded in tiles, for want of memory."""


class Renderer(Protocol):
    """An open backend."""

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        """Announce *requests*, so that what they share, such as a text encoder, is opened once for all of them.

        Some may never be rendered, because their pictures are there already.
        """

    def render(self, request: RenderRequest) -> Rendered:
        """Render the picture that *request* asks for: RGB, of exactly the size it asks for.

        A picture that the request names by its digest is found with `Store.find`. Safe to call from several threads
        at once.

        Raises:
            OutOfMemory: the device's memory ran out.
            DeviceFault: the device failed, and this renderer with it.
            BackendError: it could not be rendered.
        """


class Backend(Protocol):
    """A way to render keyframes."""

    name: str
    """As on the command line; the file's name with `-` for `_`."""
    family: str
    """Whose pictures belong in one film, such as `qwen-image-edit`."""
    revision: int
    """Raised whenever the same request would give other pixels."""
    exact: bool
    """Has rungs that give the pixels of bf16 Qwen-Image-Edit."""
    prompted: bool
    """The prompt changes its pixels; where it does not, a new prompt makes nothing stale."""
    draws_itself: bool
    """Its picture is its own control image: what is staged, drawn without a model."""
    animates: bool
    """Draws any staging fast enough for the frames between keyframes."""
    in_child: bool
    """Holds a card, or may be killed for its memory: it is opened in a process of its own (see session.py)."""

    def rungs(self, work: Work, device: Device, settings: Settings) -> tuple[Rung, ...]:
        """Return every way to do *work* on *device*, fastest first, whether or not it fits at this moment."""

    def unavailable(self, device: Device, settings: Settings) -> Unavailable | None:
        """Return why the backend cannot run here and what would change that, or None when it can."""

    def open(self, device: Device, rung: Rung, settings: Settings) -> AbstractContextManager[Renderer]:
        """Open the backend as *rung* says; leaving the context frees what it holds.

        Raises:
            BackendUnavailable: the backend cannot run here.
            OutOfMemory: the device's memory ran out, at the stage `open`.
        """


@runtime_checkable
class HasRecipe(Protocol):
    """A backend that renders with something else than the settings' model; its part of the contract is optional."""

    def recipe(self, settings: Settings, steps: int = 0) -> str:
        """Return what decides its pixels beside the request and its revision, such as `4 steps 1f0c9a…`.

        It stays the same from run to run, and while what it speaks of cannot be reached.

        Args:
            settings: what they name counts before what is found.
            steps: of the request, which may take other weights; 0 for the usual ones.
        """


@runtime_checkable
class Heeds(Protocol):
    """A backend that can make a picture otherwise when asked to; its part of the contract is optional."""

    def heeds(self, settings: Settings) -> frozenset[str]:
        """Return the names of the optional fields of a request that change its pixels: `steps`, `whole`."""


def names() -> tuple[str, ...]:
    """Return the name of every backend, in alphabetical order, without importing any."""
    found = (module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return tuple(sorted(name.replace("_", "-") for name in found))


def backend(name: str) -> Backend:
    """Import and return the backend called *name*.

    Raises:
        UnknownBackend: there is no such backend.
    """
    if name not in names():
        raise UnknownBackend(f"backend {name!r} does not exist; use one of {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    found: Backend = module.BACKEND
    return found


def fastest(name: str, work: Work, device: Device, settings: Settings) -> Rung:
    """Return the first rung of the backend called *name*.

    Raises:
        UnknownBackend: there is no such backend.
        BackendUnavailable: it has no way to do *work* on *device*.
    """
    rungs = backend(name).rungs(work, device, settings)
    if not rungs:
        raise BackendUnavailable(f"backend {name!r} has no way to render {work.size[0]}×{work.size[1]} px here")
    return rungs[0]


def draws_itself(name: str) -> bool:
    """Say whether the pictures of the backend called *name* are their own control images.

    A record of an earlier release may name one that is gone; its pictures count as a model's.
    """
    return name in names() and backend(name).draws_itself


def heeded(name: str, settings: Settings) -> frozenset[str]:
    """Return the optional fields of a request that the backend called *name* heeds.

    Raises:
        UnknownBackend: there is no such backend.
    """
    found = backend(name)
    return found.heeds(settings) if isinstance(found, Heeds) else frozenset()


def renderer_name(name: str, settings: Settings, *, exact: bool, steps: int = 0) -> str:
    """Return what a request calls the renderer whose pixels it asks for.

    For a model that is its recipe, and the backend only where its pixels are not exact: all exact ones share theirs.

    Args:
        name: of the backend.
        settings: of this machine, which may name what it renders with.
        exact: for exact pixels.
        steps: of the request; 0 for the usual ones.

    Raises:
        UnknownBackend: there is no such backend.
    """
    found = backend(name)
    own = "" if exact else f"{found.name} {found.revision}"
    return " · ".join(part for part in (_recipe_of(found, settings, steps), own) if part)


def _recipe_of(found: Backend, settings: Settings, steps: int) -> str:
    """Return what else decides the pixels of *found*: what it says itself, else the settings' model."""
    if isinstance(found, HasRecipe):
        return found.recipe(settings, steps) if steps else found.recipe(settings)
    return recipe(found.name, settings) if found.in_child else ""

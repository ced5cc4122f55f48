"""The contract of what makes clips, videos between two keyframes, and the lookup that finds it.

A file of it defines `CLIP_BACKEND`, one object of its class. To add a video model, add a file: nothing else changes,
and the contract suite in tests/clips runs over it. None is used unless UNDERCARD_CLIPS names one.
"""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from undercard.domain.keys import content_key
from undercard.domain.requests import Size
from undercard.domain.unavailable import Unavailable
from undercard.errors import UnknownBackend
from undercard.settings import Settings


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """One clip to make; everything that decides its pixels and nothing else."""

    first: str
    """SHA-256 of the picture that it begins with, a PNG of the store."""
    last: str
    """Of the picture that it ends with."""
    prompt: str
    negative_prompt: str
    seed: int
    size: Size
    """Of its frames, (width, height) px: the film's."""
    frames: int
    """How many to make, both pictures' own among them; from `ClipBackend.frame_count`."""
    renderer: str
    """What makes it, as far as that changes the pixels; from `renderer_name`."""

    @property
    def key(self) -> str:
        """SHA-256 of the request's canonical JSON, in hexadecimal."""
        return content_key(self)


@dataclass(frozen=True, slots=True)
class RenderedClip:
    """The frames of a clip and what they took."""

    frames: tuple[bytes, ...]
    """At least two PNG files, RGB, of exactly the size that was asked for; the first and the last show what the two
    pictures show, as well as the model keeps to them."""
    seconds: float
    """0 for what is not to be learnt from, such as a clip that a server had made before."""
    detail: str = ""
    """What made it, such as `Wan 2.2 Q4_K_M, 4 steps`."""
    notes: tuple[str, ...] = ()
    """What went otherwise than planned."""


class ClipRenderer(Protocol):
    """An open video model."""

    def render(self, request: ClipRequest, *, sparing: bool = False) -> RenderedClip:
        """Make the clip that *request* asks for. Safe to call from several threads at once.

        It tells how far it is with `progress.tell`, and whatever ends it early, be it that the process is killed, ends
        the work that it caused elsewhere, too.

        Args:
            request: what to make.
            sparing: take as little of the card as can be, at the cost of time.

        Raises:
            OutOfMemory: the device's memory ran out.
            DeviceFault: the device failed, or its server cannot be reached.
            BackendError: it could not be made.
        """


class ClipBackend(Protocol):
    """A way to make clips."""

    name: str
    """As the settings name it; the file's name with `-` for `_`."""
    revision: int
    """Raised whenever the same request would give other pixels."""

    def frame_count(self, seconds: Fraction) -> int:
        """Return how many frames to ask for where *seconds* pass between the two pictures: two at least."""

    def unavailable(self, settings: Settings) -> Unavailable | None:
        """Return why it cannot make clips now and what would change that, or None when it can; in a few seconds."""

    def recipe(self, settings: Settings) -> str:
        """Return what else decides its pixels, such as the digest of a workflow.

        It stays the same from run to run, and while what it speaks of cannot be reached; empty where it never could.
        """

    def open(self, settings: Settings) -> AbstractContextManager[ClipRenderer]:
        """Open it; leaving the context frees what it holds.

        Raises:
            BackendUnavailable: it lacks something.
            DeviceFault: it cannot be reached.
        """


def names() -> tuple[str, ...]:
    """Return the name of every clip backend, in alphabetical order, without importing any."""
    found = (module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return tuple(sorted(name.replace("_", "-") for name in found))


def clip_backend(name: str) -> ClipBackend:
    """Import and return the clip backend called *name*.

    Raises:
        UnknownBackend: there is no such backend.
    """
    if name not in names():
        raise UnknownBackend(f"UNDERCARD_CLIPS={name!r} does not exist; set it to one of {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    found: ClipBackend = module.CLIP_BACKEND
    return found


def renderer_name(name: str, settings: Settings) -> str:
    """Return what a request calls the clip backend called *name*, with all else that decides its pixels.

    Raises:
        UnknownBackend: there is no such backend.
    """
    found = clip_backend(name)
    return " · ".join(part for part in (found.recipe(settings), f"{found.name} {found.revision}") if part)

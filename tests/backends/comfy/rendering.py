"""Requests, the backend opened on whatever server the settings name, and what a fake server is at."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from PIL import Image

from tests import here
from tests.fakes.comfyui.server import FakeComfy
from tests.previz.stagings import staged
from undercard import backends
from undercard.backends import Renderer, Work
from undercard.domain.requests import RenderRequest, Size
from undercard.hardware.devices import Device

DEVICE = Device(cores=2, host_bytes=2**35, host_free_bytes=2**35)
SIZE = (64, 36)


def picture(angle: int = 0, size: Size = SIZE) -> str:
    """Store a picture and return its digest; another angle is another picture."""
    content = io.BytesIO()
    Image.linear_gradient("L").rotate(angle).resize(size).convert("RGB").save(content, "PNG")
    return here.store().put_bytes(content.getvalue(), ".png").sha256


def request(
    prompt: str = "two boxers", *, seed: int = 1, size: Size = SIZE, references: Sequence[str] | None = None
) -> RenderRequest:
    """Return a request with one reference, or with *references*."""
    pictures = (picture(size=size),) if references is None else tuple(references)
    return RenderRequest(prompt, "", seed, size, staged(), "test", references=pictures)


@contextmanager
def opened(rung: int = 0) -> Iterator[Renderer]:
    """Open the backend on its rung number *rung*."""
    backend = backends.backend("comfyui")
    with backend.open(DEVICE, backend.rungs(Work(SIZE), DEVICE, here.settings())[rung], here.settings()) as renderer:
        yield renderer


def kinds(fake: FakeComfy, verb: str = "execute") -> list[str]:
    """Return what *fake* did to what, such as the kinds of the nodes that it executed."""
    return [entry.split()[1] for entry in fake.log if entry.startswith(verb)]


def idle(fake: FakeComfy) -> bool:
    """Say whether *fake* has nothing to do."""
    with fake.wake:
        return not fake.pending and fake.running is None


def during(fake: FakeComfy, kind: str) -> None:
    """Wait until a node of *kind* is executed."""
    while f"execute {kind}" not in fake.log:
        threading.Event().wait(0.01)


def running(fake: FakeComfy) -> str:
    """Return the id of the job that *fake* executes."""
    with fake.wake:
        assert fake.running is not None
        return str(fake.running["id"])

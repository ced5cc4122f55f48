"""Requests for tests of backends, and one way to have them rendered."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from tests import here
from tests.engine.wholes import Case
from tests.previz.stagings import staged
from undercard import backends
from undercard.backends import Rendered, Work
from undercard.domain.requests import RenderRequest, Size
from undercard.hardware.devices import Device

DEVICE = Device(cores=2, host_bytes=2**35, host_free_bytes=2**35)


def stored(picture: Image.Image) -> str:
    """Store *picture* and return its SHA-256."""
    content = io.BytesIO()
    picture.save(content, "PNG")
    return here.store().put_bytes(content.getvalue(), ".png").sha256


def requested(prompt: str, pictures: Sequence[Image.Image], *, seed: int = 7, size: Size = (32, 32)) -> RenderRequest:
    return RenderRequest(
        prompt=prompt,
        negative_prompt="",
        seed=seed,
        size=size,
        staging=staged(),
        renderer="",
        references=tuple(stored(picture) for picture in pictures),
    )


def request_of(case: Case) -> RenderRequest:
    return requested(case.prompt, case.pictures, seed=case.seed, size=case.size)


def render(name: str, request: RenderRequest) -> Rendered:
    """Render *request* with the backend called *name*, on the processor."""
    with backends.backend(name).open(
        DEVICE, backends.fastest(name, Work(request.size), DEVICE, here.settings()), here.settings()
    ) as opened:
        return opened.render(request)

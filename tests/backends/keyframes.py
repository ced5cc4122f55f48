"""Keyframes to ask a backend for, and diffusers' pipeline to compare them with."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from tests import here
from tests.backends.requests import DEVICE
from tests.engine.wholes import Case, whole_pipeline
from tests.previz.stagings import staged
from undercard import backends
from undercard.backends import Rendered, Work
from undercard.domain.requests import RenderRequest
from undercard.store import StoredFile


def request_of(case: Case, pictures: Sequence[Image.Image] | None = None) -> RenderRequest:
    """Return the request for *case*, with other *pictures* than its own where they are given."""
    return RenderRequest(
        prompt=case.prompt,
        negative_prompt="",
        seed=case.seed,
        size=case.size,
        staging=staged(),
        renderer="",
        references=tuple(stored(picture).sha256 for picture in (case.pictures if pictures is None else pictures)),
    )


def stored(picture: Image.Image) -> StoredFile:
    """Put *picture* in the store."""
    content = io.BytesIO()
    picture.save(content, "PNG")
    return here.store().put_bytes(content.getvalue(), ".png")


def render(name: str, request: RenderRequest) -> Rendered:
    """Let the backend called *name* encode what *request* says and render it, on the processor."""
    rung = backends.fastest(name, Work(request.size), DEVICE, here.settings())
    with backends.backend(name).open(DEVICE, rung, here.settings()) as opened:
        opened.encode([request])
        return opened.render(request)


def told_of_pictures(folder: Path) -> Any:
    """Return diffusers' pipeline with an encoder that is told which tokens are pictures."""
    whole = whole_pipeline(folder)
    encoder = whole.text_encoder
    forward = encoder.forward

    def told(input_ids: torch.Tensor, **others: object) -> object:
        pictures = (input_ids == encoder.config.image_token_id).int()
        return forward(input_ids=input_ids, mm_token_type_ids=pictures, **others)

    encoder.forward = told
    return whole

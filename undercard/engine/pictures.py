"""From a request to the pictures that Qwen-Image-Edit is given, and from its canvas to the size that was asked for."""

from __future__ import annotations

from PIL import Image

from undercard import store
from undercard.errors import BackendError
from undercard.requests import RenderRequest, Size

PATCH = 16
"""Pixels on a side of what one token stands for: the VAE's 8 by the transformer's 2."""


def canvas(size: Size) -> Size:
    """Return the (width, height) px that is denoised for *size*: the next multiples of 16.

    diffusers takes the multiples before, and gives a smaller picture than it was asked for.
    """
    width, height = size
    return -(-width // PATCH) * PATCH, -(-height // PATCH) * PATCH


def cropped(picture: Image.Image, size: Size) -> Image.Image:
    """Return the middle *size* px of *picture*, which shows a canvas."""
    left, top = (picture.width - size[0]) // 2, (picture.height - size[1]) // 2
    return picture.crop((left, top, left + size[0], top + size[1]))


def require_reference(request: RenderRequest) -> None:
    """Refuse a *request* that names no picture.

    Raises:
        BackendError: it names none.
    """
    if not request.references:
        raise BackendError("Qwen-Image-Edit edits a picture, and the request names none; give it a reference")


def references(request: RenderRequest) -> list[Image.Image]:
    """Return the pictures that *request* names, RGB, in the model's order.

    Raises:
        BackendError: it names none.
        MissingObject: one is gone from the store.
    """
    require_reference(request)
    return [stored(digest) for digest in request.references]


def stored(digest: str) -> Image.Image:
    """Return the stored picture with that SHA-256, RGB.

    Raises:
        MissingObject: it is gone from the store.
    """
    with Image.open(store.find(digest, ".png")) as picture:
        return picture.convert("RGB")

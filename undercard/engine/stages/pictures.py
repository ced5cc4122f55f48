"""From a request to the pictures and words that Qwen-Image-Edit is given."""

from __future__ import annotations

from PIL import Image

from undercard.domain.requests import RenderRequest
from undercard.errors import BackendError
from undercard.store import Store

NO_PROMPT = " "
"""The negative prompt where a request has none, as in the model's own example of use."""


def require_reference(request: RenderRequest) -> None:
    """Refuse a *request* that names no picture.

    Raises:
        BackendError: it names none.
    """
    if not request.references:
        raise BackendError("Qwen-Image-Edit edits a picture, and the request names none; give it a reference")


def negative_prompt(request: RenderRequest) -> str:
    """Return what a guided *request* is to be kept away from."""
    return request.negative_prompt or NO_PROMPT


def references(request: RenderRequest, store: Store) -> list[Image.Image]:
    """Return the pictures that *request* names, RGB, in the model's order.

    Raises:
        BackendError: it names none.
        MissingObject: one is gone from the store.
    """
    require_reference(request)
    return [stored(digest, store) for digest in request.references]


def stored(digest: str, store: Store) -> Image.Image:
    """Return the stored picture with that SHA-256, RGB.

    Raises:
        MissingObject: it is gone from the store.
    """
    with Image.open(store.find(digest, ".png")) as picture:
        return picture.convert("RGB")

"""From a request to stored pictures: the control images of a keyframe, and its takes."""

from __future__ import annotations

import io
import time

from PIL import Image

from undercard import store
from undercard.backends import Renderer
from undercard.backends.previz import BACKEND as PREVIZ
from undercard.errors import BackendError
from undercard.requests import Control, RenderRequest, Take


def control_request(request: RenderRequest) -> RenderRequest:
    """Return the request that the previz answers with the control image of *request*."""
    return RenderRequest(
        prompt="",
        negative_prompt="",
        seed=request.seed,
        size=request.size,
        staging=request.staging,
        renderer=f"{PREVIZ.name} {PREVIZ.revision}",
    )


def draw_control(request: RenderRequest) -> Control:
    """Draw the previz frame of *request* and its maps, and store them.

    Raises:
        StoreError: they cannot be stored.
    """
    # The renderer brings its compiler with it, which a run that finds everything cached does not need.
    from undercard.previz import maps
    from undercard.previz.render import draw

    start = time.monotonic()
    frame = draw(request.staging, request.size, request.seed)
    return Control(
        key=request.key,
        frame=_stored(Image.fromarray(frame.image)),
        depth=_stored(maps.depth_image(frame)),
        normals=_stored(maps.normals_image(frame)),
        skeleton=_stored(maps.skeleton_image(frame)),
        keypoints=store.put_bytes(maps.keypoints_json(frame), ".json"),
        seconds=_since(start),
    )


def follows_itself(request: RenderRequest) -> bool:
    """Say whether the control image of *request* is the very picture that it asks for, as with the previz."""
    return control_request(request) == request


def render_take(request: RenderRequest, number: int, backend: str, renderer: Renderer, control: Control | None) -> Take:
    """Render take *number* of *request* and store its picture.

    Args:
        request: what to render.
        number: of the take, from 1.
        backend: the name of the backend behind *renderer*.
        renderer: an open backend.
        control: the control image; None for a request that follows itself, whose picture is drawn with its maps.

    Raises:
        BackendError: the backend failed, or gave a picture of another size.
        StoreError: the picture cannot be stored.
    """
    if control is None:
        control = draw_control(control_request(request))
        picture, seconds = control.frame, control.seconds
    else:
        start = time.monotonic()
        image = renderer.render(request).image
        if image.size != request.size:
            raise BackendError(f"backend {backend!r} gave {image.size} px where {request.size} was asked for")
        picture, seconds = _stored(image), _since(start)
    return Take(key=request.key, number=number, backend=backend, picture=picture, control=control, seconds=seconds)


def _since(start: float) -> float:
    return round(time.monotonic() - start, 3)


def _stored(image: Image.Image) -> store.StoredFile:
    buffer = io.BytesIO()
    # Level 1 takes a third of the default level's time for an eighth more bytes on these pictures.
    image.save(buffer, format="PNG", compress_level=1)
    return store.put_bytes(buffer.getvalue(), ".png")

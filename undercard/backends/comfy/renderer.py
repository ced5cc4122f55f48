"""A ComfyUI as a renderer: requests to graphs, jobs to pictures of exactly the size that was asked for."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from PIL import Image, ImageOps, UnidentifiedImageError

from undercard.backends import Rendered
from undercard.backends.comfy.client import Client
from undercard.backends.comfy.guard import Guard
from undercard.backends.comfy.job import Finished, Job
from undercard.backends.comfy.nodes import Values
from undercard.backends.comfy.patience import patiently
from undercard.backends.comfy.server import Way, Wishes
from undercard.domain import progress
from undercard.domain.canvas import canvas, middle
from undercard.domain.requests import RenderRequest, Size
from undercard.errors import BackendError


@dataclass(frozen=True, slots=True)
class ComfyRenderer:
    """Renders on one server; what several threads ask for stands in its queue."""

    client: Client
    guard: Guard
    way: Way
    wishes: Wishes
    sparing: bool = False

    def encode(self, requests: Sequence[RenderRequest]) -> None:
        """Nothing to prepare: the server encodes a prompt when it meets it, and keeps what it encoded."""

    def render(self, request: RenderRequest) -> Rendered:
        """Render *request*; a server that is restarted meanwhile is waited for.

        Raises:
            OutOfMemory: the server's memory ran out.
            DeviceFault: its card failed, or it answers no more.
            BackendError: the request names no reference, or the server could not render it.
        """
        start = time.monotonic()
        if not request.references:
            raise BackendError("Qwen-Image-Edit edits a picture, and the request names none; give it a reference")
        progress.tell("encode")
        values = self._values(request)
        finished, content = self._made(values)
        image, notes = exactly(_opened(content), request.size)
        if len(request.references) > self.way.references:
            notes.append(f"the workflow takes {self.way.references} of {len(request.references)} references")
        if values.sparing:
            notes.append(f"text encoded on the processor{', decoded in tiles' if values.in_tiles else ''}")
        if finished.was_there:
            notes.append("the server had rendered it before")
        # Waiting in the queue behind others' work is no part of what a picture takes.
        seconds = finished.seconds or time.monotonic() - start
        # 0 is for what is not to be learnt from.
        return Rendered(image, 0.0 if finished.was_there else seconds, notes=tuple(notes))

    def _values(self, request: RenderRequest) -> Values:
        width, height = canvas(request.size)
        return Values(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            seed=request.seed,
            width=width,
            height=height,
            images=tuple(self._uploaded(digest) for digest in request.references),
            steps=request.steps or self.wishes.steps,
            output=f"undercard/{request.key[:16]}",
            sparing=self.sparing,
            whole=request.whole,
        )

    def _uploaded(self, digest: str) -> str:
        content = self.wishes.store.find(digest, ".png").read_bytes()
        return patiently(lambda: self.client.upload(f"{digest}.png", content), self.wishes.wait_seconds)

    def _made(self, values: Values) -> tuple[Finished, bytes]:
        """Return what the server made of *values*, and the picture's file."""
        finished, content = self._run(values)
        if content is None:
            # A graph that the server has executed before is not executed again: it names the picture that it saved
            # then, which somebody may have removed since. Another name makes it save another.
            finished, content = self._run(_renamed(values))
        if content is None:
            raise BackendError(f"ComfyUI at {self.client.shown} made a picture and has it no more; look at its disk")
        return finished, content

    def _run(self, values: Values) -> tuple[Finished, bytes | None]:
        graph, output = self.way.built(values)
        finished = Job(self.client, self.guard, graph, self.wishes.wait_seconds).run()
        pictures = finished.pictures.get(output, ())
        if not pictures:
            raise BackendError(f"node {output} ({graph[output].kind}) made no picture; look at ComfyUI's log")
        return finished, patiently(lambda: self.client.view(pictures[0]), self.wishes.wait_seconds)


def exactly(image: Image.Image, size: Size) -> tuple[Image.Image, list[str]]:
    """Return *image* as RGB of *size*, and a note where more than the canvas's margin had to go for that."""
    picture = image.convert("RGB")
    if picture.size == canvas(size):
        return middle(picture, size), []
    if picture.size == size:
        return picture, []
    note = f"the workflow gave {picture.width}×{picture.height} px, which were scaled"
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS), [note]


def _opened(content: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return image
    except (UnidentifiedImageError, OSError) as exc:
        raise BackendError(f"ComfyUI gave {len(content)} bytes that are no picture: {exc}") from exc


def _renamed(values: Values) -> Values:
    return replace(values, output=f"{values.output}-{uuid.uuid4().hex[:8]}")


@contextmanager
def opened(way: Way, wishes: Wishes, *, sparing: bool) -> Iterator[ComfyRenderer]:
    """Open a renderer on the server that *wishes* name; leaving the context ends what watches over its jobs."""
    guard = Guard(wishes.url)
    with Client(wishes.url) as client:
        if sparing:
            # Whatever the server holds for others, this is the rung that needs it.
            patiently(client.free, wishes.wait_seconds)
        try:
            yield ComfyRenderer(client, guard, way, wishes, sparing)
        finally:
            guard.close()

"""A ComfyUI as a maker of clips: two pictures to a graph, a job to frames of exactly the size that was asked for."""

from __future__ import annotations

import io
import math
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from undercard.backends.clips import ClipRequest, RenderedClip
from undercard.backends.clips.wan.graph import ClipValues
from undercard.backends.clips.wan.server import ClipWay, ClipWishes
from undercard.backends.comfy.client import Client
from undercard.backends.comfy.guard import Guard
from undercard.backends.comfy.job import Finished, Job
from undercard.backends.comfy.nodes import Picture
from undercard.backends.comfy.patience import patiently
from undercard.domain import progress
from undercard.domain.canvas import canvas, middle
from undercard.domain.requests import Size
from undercard.errors import BackendError

LEAST_FRAMES = 2


@dataclass(frozen=True, slots=True)
class ComfyClipRenderer:
    """Makes clips on one server; what several threads ask for stands in its queue."""

    client: Client
    guard: Guard
    way: ClipWay
    wishes: ClipWishes

    def render(self, request: ClipRequest, *, sparing: bool = False) -> RenderedClip:
        """Make the clip that *request* asks for; a server that is restarted meanwhile is waited for.

        Raises:
            OutOfMemory: the server's memory ran out.
            DeviceFault: its card failed, or it answers no more.
            BackendError: the server could not make it, or it made something else.
        """
        start = time.monotonic()
        progress.tell("encode")
        if sparing:
            # Whatever the server holds for others, this is the way that needs it.
            patiently(self.client.free, self.wishes.wait_seconds)
        shown = within(request.size, self.wishes.pixels)
        values = self._values(request, shown, sparing=sparing)
        finished, files = self._made(values)
        frames, odd = [], set()
        for content in files:
            frame, given = _frame(content, shown, request.size)
            odd |= {given} - {canvas(shown)}
            frames.append(frame)
        notes = [f"the workflow gave frames of {width}×{height} px" for width, height in sorted(odd)]
        if len(frames) != request.frames:
            notes.append(f"the workflow gave {len(frames)} frames for {request.frames}, which were spread evenly")
        if sparing:
            notes.append(self.way.spared)
        seconds = finished.seconds or time.monotonic() - start
        if finished.was_there:
            notes.append("the server had made it before")
            seconds = 0.0
        return RenderedClip(tuple(frames), seconds, self.way.detail, tuple(notes))

    def _values(self, request: ClipRequest, shown: Size, *, sparing: bool) -> ClipValues:
        width, height = canvas(shown)
        return ClipValues(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            seed=request.seed,
            width=width,
            height=height,
            frames=request.frames,
            first=self._uploaded(request.first, shown),
            last=self._uploaded(request.last, shown),
            output=f"undercard/clip-{request.key[:16]}",
            sparing=sparing,
        )

    def _uploaded(self, digest: str, shown: Size) -> str:
        with Image.open(self.wishes.store.find(digest, ".png")) as picture:
            content = _png(on_canvas(picture.convert("RGB"), shown))
        name = f"{digest[:32]}-{shown[0]}x{shown[1]}.png"
        return patiently(lambda: self.client.upload(name, content), self.wishes.wait_seconds)

    def _made(self, values: ClipValues) -> tuple[Finished, list[bytes]]:
        """Return what the server made of *values*, and the files of its frames."""
        finished, files = self._run(values)
        if None in files:
            # The server names the frames that it saved the last time, which somebody may have removed since; under
            # another name it saves them again.
            finished, files = self._run(replace(values, output=f"{values.output}-{uuid.uuid4().hex[:8]}"))
        whole = [content for content in files if content is not None]
        if len(whole) != len(files):
            raise BackendError(f"ComfyUI at {self.client.shown} made frames and has them no more; look at its disk")
        if len(whole) < LEAST_FRAMES:
            raise BackendError(
                f"{self.way.detail} gave {len(whole)} frame{'s' if len(whole) != 1 else ''}; its output must be a"
                " SaveImage that gets every frame of the clip"
            )
        return finished, whole

    def _run(self, values: ClipValues) -> tuple[Finished, list[bytes | None]]:
        graph, output = self.way.built(values)
        finished = Job(
            self.client, self.guard, graph, self.wishes.wait_seconds, hang_seconds=self.wishes.hang_seconds
        ).run()
        pictures = finished.pictures.get(output, ())
        if not pictures:
            raise BackendError(f"node {output} ({graph[output].kind}) made no frames; look at ComfyUI's log")
        return finished, [self._viewed(picture) for picture in pictures]

    def _viewed(self, picture: Picture) -> bytes | None:
        progress.tell("decode")
        return patiently(lambda: self.client.view(picture), self.wishes.wait_seconds)


def within(size: Size, pixels: int) -> Size:
    """Return the largest size of the shape of *size* that has no more than *pixels*, and is no larger than it."""
    scale = min(1.0, math.sqrt(pixels / (size[0] * size[1])))
    width, height = (max(2, round(side * scale)) for side in size)
    return width, height


def on_canvas(picture: Image.Image, shown: Size) -> Image.Image:
    """Return *picture* at *shown* px in the middle of its canvas, whose margin repeats the picture's edge.

    The nodes crop what has another shape than their canvas, so that the frames would show less than the pictures do.
    """
    scaled = picture.resize(shown, Image.Resampling.LANCZOS)
    width, height = canvas(shown)
    left, top = (width - shown[0]) // 2, (height - shown[1]) // 2
    margins = ((top, height - shown[1] - top), (left, width - shown[0] - left), (0, 0))
    return Image.fromarray(np.pad(np.asarray(scaled), margins, mode="edge"))


def _frame(content: bytes, shown: Size, size: Size) -> tuple[bytes, Size]:
    """Return a frame as a PNG of *size*, and the size that it came in."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            frame = picture.convert("RGB")
    except (UnidentifiedImageError, OSError) as exc:
        raise BackendError(
            f"ComfyUI gave {len(content)} bytes that are no picture: {exc}; the workflow's output must be a SaveImage"
        ) from exc
    given = frame.size
    if given == canvas(shown):
        frame = middle(frame, shown)
    if frame.size != size:
        # As far as a workflow keeps the film's shape nothing is cut off.
        frame = ImageOps.fit(frame, size, Image.Resampling.LANCZOS)
    return _png(frame), given


def _png(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG", compress_level=3)
    return written.getvalue()


@contextmanager
def opened(way: ClipWay, wishes: ClipWishes) -> Iterator[ComfyClipRenderer]:
    """Open a renderer on the server that *wishes* name; leaving the context ends what watches over its jobs."""
    guard = Guard(wishes.url)
    with Client(wishes.url) as client:
        try:
            yield ComfyClipRenderer(client, guard, way, wishes)
        finally:
            guard.close()

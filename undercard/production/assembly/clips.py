"""From accepted takes to clips: what is asked of a video model between two keyframes, and what it made."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from types import TracebackType
from typing import Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from undercard.backends import clips
from undercard.backends.clips import ClipBackend, ClipRenderer, ClipRequest, RenderedClip
from undercard.domain.keys import content_key
from undercard.domain.takes import Take
from undercard.errors import BackendError, OutOfMemory
from undercard.film.motion.reel import Reel
from undercard.planning.plan import Plan
from undercard.settings import Settings
from undercard.shotlist import prompts
from undercard.shotlist.models import Shot
from undercard.store import Store, StoredFile

NEGATIVE = "blurred, overexposed, still picture, text, subtitles, watermark, extra arms, extra gloves, deformed hands"
"""What a video model is kept from where a shot says nothing itself."""


class MadeClip(BaseModel):
    """A clip, as a task returns it in place of its pixels."""

    model_config = ConfigDict(frozen=True)

    key: str
    """Of the request that it answers."""
    frames: tuple[StoredFile, ...] = Field(min_length=2)
    seconds: float
    detail: str
    """What made it."""
    notes: tuple[str, ...] = ()

    def reel(self, store: Store) -> Reel:
        """Return its frames, which are in *store*, for the film."""
        return Reel(tuple(store.path_of(frame) for frame in self.frames))

    @property
    def digest(self) -> str:
        """What decides the pixels that it gives a film."""
        return content_key([frame.sha256 for frame in self.frames])


Clips: TypeAlias = Mapping[str, tuple[MadeClip | None, ...]]
"""By shot of the motion `clip`: a clip for each keyframe and the next; None where both are one picture."""


def stretches(plan: Plan, shot: Shot, takes: Sequence[Take]) -> tuple[ClipRequest | None, ...]:
    """Return what to make between each of the *takes* of *shot* and the next; None where both are one picture.

    A replay asks for the clips of the shot that it shows again.
    """
    filmed = plan.shot(shot.source)
    backend = clips.clip_backend(plan.clips)
    renderer = clips.renderer_name(plan.clips, plan.settings)
    pairs = pairwise(list(zip(filmed.keyframes, takes, strict=True)))
    return tuple(
        ClipRequest(
            first=here.picture.sha256,
            last=there.picture.sha256,
            prompt=prompts.between(plan.shot_list, filmed, index, plan.size),
            negative_prompt=filmed.negative_prompt or NEGATIVE,
            seed=filmed.seed,
            size=plan.size,
            frames=backend.frame_count(Fraction(after.at - before.at) / plan.shot_list.fps),
            renderer=renderer,
        )
        if here.picture.sha256 != there.picture.sha256
        else None
        for index, ((before, here), (after, there)) in enumerate(pairs)
    )


def make(request: ClipRequest, renderer: ClipRenderer, store: Store) -> MadeClip:
    """Make a clip and keep it in *store*; where memory runs out, once more with as little of the card as can be.

    Raises:
        OutOfMemory: the memory does not suffice even so.
        DeviceFault: the device failed, or its server cannot be reached.
        BackendError: it could not be made.
        StoreError: it cannot be stored.
    """
    try:
        made = renderer.render(request)
    except OutOfMemory as exc:
        made = _sparingly(request, renderer, exc)
    frames = tuple(store.put_bytes(frame, ".png") for frame in made.frames)
    return MadeClip(key=request.key, frames=frames, seconds=made.seconds, detail=made.detail, notes=made.notes)


def _sparingly(request: ClipRequest, renderer: ClipRenderer, first: OutOfMemory) -> RenderedClip:
    made = renderer.render(request, sparing=True)
    notes = (*made.notes, f"after out of memory{f' in {first.stage}' if first.stage else ''}")
    return RenderedClip(made.frames, made.seconds, made.detail, notes)


@dataclass(slots=True)
class Later:
    """A clip renderer that is opened at the first clip that nobody made yet; a context manager, for several threads."""

    backend: ClipBackend
    settings: Settings
    stack: ExitStack = field(default_factory=ExitStack)
    lock: threading.Lock = field(default_factory=threading.Lock)
    opened: ClipRenderer | None = None
    failed: BackendError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.close()

    def render(self, request: ClipRequest, *, sparing: bool = False) -> RenderedClip:
        """Make the clip that *request* asks for; see `ClipRenderer`.

        Raises:
            BackendError: it could not be opened, or the clip not be made.
        """
        return self._renderer().render(request, sparing=sparing)

    def _renderer(self) -> ClipRenderer:
        with self.lock:
            # A server that was waited for in vain is not waited for again for each clip.
            if self.failed is not None:
                raise self.failed
            if self.opened is None:
                try:
                    self.opened = self.stack.enter_context(self.backend.open(self.settings))
                except BackendError as exc:
                    self.failed = exc
                    raise
            return self.opened

"""A running ComfyUI over HTTP, with its own files of Wan or with the user's workflow."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction

from undercard.backends.clips import ClipRenderer
from undercard.domain.unavailable import Unavailable
from undercard.settings import Settings

FPS = 16
"""What Wan was taught: 81 frames are five seconds (Wan 2.1, arXiv 2503.20314)."""
STRIDE = 4
"""Frames that one step of its autoencoder holds, after the first."""
MOST_FRAMES = 81
"""A longer way is spread over as many: the model was taught no more, and repeats itself."""


@dataclass(frozen=True, slots=True)
class ComfyClips:
    """A server of the user's, on this machine unless the settings say otherwise."""

    name: str = "comfyui"
    revision: int = 1

    def frame_count(self, seconds: Fraction) -> int:
        """Return one more than a multiple of four: at least 16 frames a second, and 81 at most."""
        steps = max(1, math.ceil(seconds * FPS / STRIDE))
        return min(MOST_FRAMES, STRIDE * steps + 1)

    def unavailable(self, settings: Settings) -> Unavailable | None:
        """Say that no server answers, or what it lacks; in two seconds at the most."""
        # Only who asks for it needs the network's libraries.
        from undercard.backends.clips.wan import server as clip_server
        from undercard.backends.comfy import server

        return server.look(clip_server.wishes(settings)).reason

    def recipe(self, settings: Settings) -> str:
        """Return the size of its canvas and a digest of the workflow, or of the names of the server's files."""
        from undercard.backends.clips.wan import server as clip_server

        return clip_server.recipe(clip_server.wishes(settings))

    def open(self, settings: Settings) -> AbstractContextManager[ClipRenderer]:
        """Open a connection; the server opens its model at the first clip.

        Raises:
            BackendUnavailable: the server lacks something, or cannot execute the workflow.
            DeviceFault: it does not answer.
        """
        from undercard.backends.clips.wan import renderer
        from undercard.backends.clips.wan import server as clip_server
        from undercard.backends.comfy import server
        from undercard.backends.comfy.patience import patiently

        wanted = clip_server.wishes(settings)
        way = patiently(lambda: server.present(wanted), wanted.wait_seconds)
        return renderer.opened(way, wanted)


CLIP_BACKEND = ComfyClips()

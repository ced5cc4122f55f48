"""What to render and what came of it: RenderRequest and its key, Control, Take."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

from undercard.staging import Staging
from undercard.store import StoredFile

Size: TypeAlias = tuple[int, int]
"""(width, height) in pixels."""


class Control(BaseModel):
    """The previz of one keyframe: the picture and the maps that a diffusion model follows."""

    model_config = ConfigDict(frozen=True)

    key: str
    """The key of the request whose picture `frame` is."""
    frame: StoredFile
    """RGB PNG: what the previz renderer sees."""
    depth: StoredFile
    """16-bit grey PNG: nearer is brighter, nothing is 0."""
    normals: StoredFile
    """RGB PNG: camera-space normals, x right, y up, z to the camera, 0…255 for -1…1."""
    skeleton: StoredFile
    """RGB PNG: OpenPose's 18 joints and 17 limbs in its colours."""
    keypoints: StoredFile
    """JSON: COCO's 17 joints a fighter, in pixels, with what hides them."""
    seconds: float
    """How long drawing and storing them took."""


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One picture to render; everything that decides its pixels and nothing else."""

    prompt: str
    negative_prompt: str
    seed: int
    size: Size
    staging: Staging
    renderer: str
    """What draws it where that changes the pixels, such as `previz 1`; empty when the backend is exact."""
    control: str = ""
    """SHA-256 of the control image; empty for a backend that follows the staging itself."""
    references: tuple[str, ...] = ()
    """SHA-256 of each reference image, in the model's order."""

    @property
    def key(self) -> str:
        """SHA-256 of the request's canonical JSON, in hexadecimal."""
        return _request_key(self)


# A run asks for the same keys many times over; working one out takes 2 ms.
@lru_cache(maxsize=8192)
def _request_key(request: RenderRequest) -> str:
    return content_key(request)


def content_key(content: object) -> str:
    """Return the SHA-256 of *content*'s canonical JSON, in hexadecimal; equal contents have equal keys.

    Raises:
        TypeError: *content* holds something that JSON has no form for.
        ValueError: *content* holds a number that is not finite.
    """
    canonical = json.dumps(
        _canonical(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _canonical(content: object) -> object:
    """Write records as objects, and whole numbers as integers: 35 equals 35.0, but their JSON does not."""
    if isinstance(content, float):
        return int(content) if content.is_integer() else content
    if is_dataclass(content) and not isinstance(content, type):
        return {field.name: _canonical(getattr(content, field.name)) for field in fields(content)}
    if isinstance(content, dict):
        return {name: _canonical(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_canonical(value) for value in content]
    return content


class Take(BaseModel):
    """A rendered keyframe."""

    model_config = ConfigDict(frozen=True)

    key: str
    """The key of the request it answers."""
    number: int
    """From 1; a take that the gate rejects is followed by the next."""
    backend: str
    picture: StoredFile
    control: Control
    """What it was drawn from, or to be measured against."""
    seconds: float
    """How long its picture took to render, whenever that was."""

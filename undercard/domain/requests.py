"""What to render and what came of it: RenderRequest and its key, Control, Attempt, Repair, Take."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

from undercard.domain.keys import LATER, content_key
from undercard.domain.staging import Staging
from undercard.store import StoredFile

Size: TypeAlias = tuple[int, int]
"""(width, height) in pixels."""
SEED_LIMIT = 2**31
"""Seeds of takes are below it, and those of the pictures that takes are drawn from are not: a model that begins with
the noise of its own reference tends to give that back."""

MOST_STEPS = 8
"""The longer of the two schedules that Lightning was distilled for."""


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


class Sheet(BaseModel):
    """A fighter's character sheet, which a model knows him by where the user has no picture of him."""

    model_config = ConfigDict(frozen=True)

    key: str
    """The key of the request whose picture it is."""
    fighter: str
    """His id in the cast."""
    picture: StoredFile
    """RGB PNG."""
    seconds: float
    """How long drawing and storing it took."""


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One picture to render; everything that decides its pixels and nothing else."""

    prompt: str
    negative_prompt: str
    seed: int
    size: Size
    staging: Staging
    renderer: str
    """What draws it, as far as that changes the pixels: `previz 1`, or a model's recipe, with the backend's name where
    its pixels are not exact."""
    control: str = ""
    """SHA-256 of the control image; empty for a backend that follows the staging itself."""
    references: tuple[str, ...] = ()
    """SHA-256 of each reference image, in the model's order."""
    steps: int = field(default=0, metadata={LATER: True})
    """Denoising steps; 0 for as many as the settings say. Only for a backend that heeds it."""
    whole: bool = field(default=False, metadata={LATER: True})
    """Decode the picture in one piece, whatever that takes. Only for a backend that heeds it."""

    @property
    def key(self) -> str:
        """SHA-256 of the request's canonical JSON, in hexadecimal."""
        return _request_key(self)


# A run asks for the same keys many times over; working one out takes 2 ms.
@lru_cache(maxsize=8192)
def _request_key(request: RenderRequest) -> str:
    return content_key(request)

"""What the passes of one drawing share: its view, scene and light, and what each pixel sees."""

from __future__ import annotations

from dataclasses import dataclass

from undercard.domain.staging import Vec3
from undercard.previz.bands import Bands
from undercard.previz.lights import Light
from undercard.previz.mesh import Floats, Ints
from undercard.previz.scene import Scene
from undercard.previz.view import View


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many rays a pixel gets."""

    key: int
    rim: int
    sky: int
    edge: int
    """Rays through each pixel that an edge crosses."""


@dataclass(frozen=True, slots=True)
class Shot:
    """All that the passes share."""

    view: View
    scene: Scene
    light: Light
    middle: Vec3
    sampling: Sampling
    seed: int
    bands: Bands


@dataclass(frozen=True, slots=True)
class Visible:
    """What the centre of each pixel sees."""

    directions: Floats
    """Of the rays, shape (h, w, 3)."""
    triangle: Ints
    """-1 for none, shape (h, w); so the others."""
    distance: Floats
    u: Floats
    v: Floats

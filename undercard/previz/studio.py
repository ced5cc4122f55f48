"""A photographer's studio in place of the ring: soft lamps and grey paper, for fighters' character sheets."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from undercard.domain.staging import Staging
from undercard.previz.lights import Lamp, Light
from undercard.previz.mesh import Material, Mesh
from undercard.previz.picture import Sampling
from undercard.previz.render import draw_within
from undercard.previz.shapes import grid_faces, mesh

LIGHT = Light(
    about="a photographer's studio: large soft lamps, a grey backdrop",
    key=Lamp((-2.6, 3.6, 4.0), 0.9, (33.0, 32.6, 32.0)),
    rims=(Lamp((-3.4, 2.6, -1.6), 0.8, (16.0, 16.0, 16.2)), Lamp((3.4, 2.8, -1.6), 0.8, (20.0, 20.0, 20.4))),
    fill=(0.24, 0.24, 0.242),
    sky=(0.22, 0.22, 0.222),
    ground=(0.18, 0.18, 0.18),
    beams=(),
    haze=(0.0, 0.0, 0.0),
    crowd=0.0,
    vignette=0.0,
    bloom=0.25,
    grain=0.0,
)
SAMPLING = Sampling(key=8, rim=4, sky=8, edge=4)
SUPERSAMPLING = 2
"""Drawn so many times as large: shadows are found at half of what is drawn, and a model looks closely."""


@lru_cache(maxsize=1)
def backdrop() -> Mesh:
    """Return grey paper that hangs behind and lies below: floor, a round bend, wall; no edge of it is seen."""
    bend = np.linspace(0.0, np.pi / 2, 24)
    radius, depth = 1.6, -2.2
    profile = [(6.0, 0.0), *((depth - radius * np.sin(a), radius * (1.0 - np.cos(a))) for a in bend), (-3.8, 9.0)]
    across = np.array([-9.0, 9.0])
    points = np.array([[(x, y, z) for x in across] for z, y in profile], np.float32)
    grey = Material((0.42, 0.42, 0.42), 0.02, 8.0)
    return mesh(points.reshape(-1, 3), grid_faces(len(profile), 2, closed=False), grey)


def draw(staging: Staging, size: tuple[int, int], seed: int) -> Image.Image:
    """Draw the fighters of *staging* at *size* (width, height) px, RGB; its own light is not used.

    Raises:
        BadInput: the size has no pixels.
    """
    width, height = size
    large = (width * SUPERSAMPLING, height * SUPERSAMPLING)
    frame = draw_within(backdrop(), LIGHT, staging, large, seed, SAMPLING)
    return Image.fromarray(frame.image).resize(size, Image.Resampling.LANCZOS)

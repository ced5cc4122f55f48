"""Plain things in plain light, for the tests of the renderer's passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from undercard.domain.staging import Camera, Vec3
from undercard.previz import passes
from undercard.previz.bands import bands
from undercard.previz.lights import Lamp, Light
from undercard.previz.mesh import Floats, Material, Mesh
from undercard.previz.picture import Sampling, Shot
from undercard.previz.scene import Scene
from undercard.previz.shading import NEAR_COLUMNS, Half
from undercard.previz.shapes import quad
from undercard.previz.view import look_through

MATT = Material((0.5, 0.5, 0.5), 0.0, 1.0)
DOWN = Camera((0.0, 4.0, 0.0), (0.0, 0.0, 0.0), 36.0)
"""Four metres above the floor, a picture four metres wide, -z at its top."""
DARK = Lamp((0.0, 9.0, 0.0), 0.1, (0.0, 0.0, 0.0))
BLACK = (0.0, 0.0, 0.0)
PLAIN = Light(
    "plain", DARK, (DARK, DARK), fill=BLACK, sky=BLACK, ground=BLACK, beams=(), haze=BLACK,
    crowd=0.0, vignette=0.0, bloom=0.0, grain=0.0,
)  # fmt: skip
"""No light at all, no grade, no grain; `replace` adds what a test is about."""
SAMPLING = Sampling(key=4, rim=1, sky=4, edge=4)


def slab(half: float, height: float, material: Material = MATT, at: tuple[float, float] = (0.0, 0.0)) -> Mesh:
    """Return a level square that faces up."""
    x, z = at
    corners = ((x - half, z + half), (x + half, z + half), (x + half, z - half), (x - half, z - half))
    a, b, c, d = ((x, height, z) for x, z in corners)
    return quad(a, b, c, d, material)


@contextmanager
def shot_of(
    *meshes: Mesh,
    light: Light = PLAIN,
    camera: Camera = DOWN,
    size: tuple[int, int] = (64, 48),
    sampling: Sampling = SAMPLING,
    seed: int = 1,
) -> Iterator[Shot]:
    """Yield what the passes need to draw *meshes*, the first of which is the ring's (owner 0)."""
    scene = Scene([(mesh, owner) for owner, mesh in enumerate(meshes or (slab(0.5, -50.0),))])
    with bands(threads=2) as pool:
        yield Shot(look_through(camera, size), scene, light, (0.0, 0.0, 0.0), sampling, seed, pool)


def unshaded(shot: Shot, visible: float = 1.0, haze: Vec3 = BLACK, backdrop: Vec3 = BLACK) -> Half:
    """Return a half-resolution buffer in which every lamp and the sky are *visible* from everywhere."""
    size = (shot.view.height + 1) // 2, (shot.view.width + 1) // 2
    near = np.zeros((*size, NEAR_COLUMNS), np.float32)
    near[:, :, 7:11] = visible
    near[:, :, 11:14] = haze
    return near, np.broadcast_to(np.array(backdrop, np.float32), (*size, 3)).copy()


def coloured(
    *meshes: Mesh, light: Light, camera: Camera = DOWN, size: tuple[int, int] = (33, 33), visible: float = 1.0
) -> Floats:
    """Return the linear light of *meshes* where nothing casts a shadow, shape (h, w, 3)."""
    with shot_of(*meshes, light=light, camera=camera, size=size) as shot:
        return passes.colour(shot, passes.see(shot), unshaded(shot, visible))[0]


def centre(picture: np.ndarray) -> np.ndarray:
    """Return the pixel in the middle."""
    pixel: np.ndarray = picture[picture.shape[0] // 2, picture.shape[1] // 2]
    return pixel

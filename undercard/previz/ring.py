"""The ring: canvas, apron and skirt, posts, pads, ropes with spacers and turnbuckles."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from undercard.previz.mesh import Material, Mesh, Texture
from undercard.previz.shapes import join, quad, rounded_box, tube

ROPE_HALF = 2.75
"""Half the side between the ropes, metres: 18 ft, a championship ring's smallest (ABC: 16 to 20 ft)."""
PLATFORM_HALF = 3.3
"""Half the side of the platform: the ABC rules ask for at least 18 inches of apron."""
PLATFORM_HEIGHT = 1.1
"""From the hall's floor to the canvas; not above 4 ft by the same rules."""
ROPE_HEIGHTS = (0.46, 0.76, 1.07, 1.37)
"""Of the four ropes: 18, 30, 42 and 54 inches (ABC)."""
ROPE_RADIUS = 0.019
POST_HALF = 3.02
POST_HEIGHT = 1.5

_WHITE = (0.72, 0.71, 0.68)
_RED = (0.60, 0.025, 0.02)
_BLUE = (0.02, 0.07, 0.50)
_STEEL = Material((0.30, 0.31, 0.33), 0.7, 70.0)
_ROPES = (_WHITE, _BLUE, _WHITE, _RED)
"""Colour of each rope, from the lowest."""
_CORNERS = ((-1.0, 1.0, _RED), (1.0, -1.0, _BLUE), (-1.0, -1.0, _WHITE), (1.0, 1.0, _WHITE))


@lru_cache(maxsize=1)
def ring() -> Mesh:
    """Return the whole ring as one mesh, canvas at y = 0; built once."""
    return join([*_platform(), *_corners(), *_ropes()])


def _platform() -> Iterator[Mesh]:
    half, floor = PLATFORM_HALF, -PLATFORM_HEIGHT
    canvas = Material((0.50, 0.53, 0.57), 0.10, 18.0, Texture.CANVAS)
    skirt = Material((0.018, 0.022, 0.045), 0.12, 12.0, Texture.SKIRT)
    edge = Material((0.42, 0.03, 0.03), 0.3, 30.0)
    yield quad((-half, 0, half), (half, 0, half), (half, 0, -half), (-half, 0, -half), canvas)
    corners = [(-half, half), (half, half), (half, -half), (-half, -half)]
    for (x0, z0), (x1, z1) in zip(corners, corners[1:] + corners[:1], strict=True):
        yield quad((x0, floor, z0), (x1, floor, z1), (x1, 0, z1), (x0, 0, z0), skirt)
        # The padded edge of the platform, a little proud of the skirt.
        yield tube(np.array([(x0, -0.03, z0), (x1, -0.03, z1)], np.float32), 0.045, edge, sides=14)


def _corners() -> Iterator[Mesh]:
    for x, z, colour in _CORNERS:
        pad = Material(colour, 0.35, 36.0, Texture.LEATHER)
        post = np.array([(x * POST_HALF, -0.4, z * POST_HALF), (x * POST_HALF, POST_HEIGHT, z * POST_HALF)])
        yield tube(post.astype(np.float32), 0.065, _STEEL, sides=14)
        yield rounded_box((x * POST_HALF, POST_HEIGHT, z * POST_HALF), (0.075, 0.05, 0.075), _STEEL, power=3, detail=16)
        inward = np.degrees(np.arctan2(-x, -z))
        # One long cushion a corner, buckled to the four turnbuckles.
        yield rounded_box(
            (x * (ROPE_HALF - 0.03), 0.92, z * (ROPE_HALF - 0.03)),
            (0.17, 0.58, 0.085),
            pad,
            turn_degrees=float(inward),
            power=6,
            detail=24,
        )
        for height in ROPE_HEIGHTS:
            bolt = np.array([(x * POST_HALF, height, z * POST_HALF), (x * ROPE_HALF, height, z * ROPE_HALF)])
            yield tube(bolt.astype(np.float32), 0.022, _STEEL, sides=8)


def _ropes() -> Iterator[Mesh]:
    along = np.linspace(-1.0, 1.0, 17)
    strap = Material((0.62, 0.61, 0.58), 0.15, 16.0, Texture.CLOTH)
    for turn in range(4):
        for height, colour in zip(ROPE_HEIGHTS, _ROPES, strict=True):
            sag = 0.022 * (1 - along**2)
            path = np.stack([along * ROPE_HALF, height - sag, np.full(17, ROPE_HALF)], axis=1)
            material = Material(colour, 0.35, 40.0, Texture.CLOTH)
            yield tube(_turned(path, turn), ROPE_RADIUS, material, sides=10)
        for place in (-0.34, 0.34):
            # A spacer ties the four ropes together, two a side.
            for offset in (-0.026, 0.026):
                ends = np.array(
                    [
                        (place * ROPE_HALF, ROPE_HEIGHTS[0] - 0.04, ROPE_HALF + offset),
                        (place * ROPE_HALF, ROPE_HEIGHTS[3] - 0.01, ROPE_HALF + offset),
                    ]
                )
                yield tube(_turned(ends, turn), 0.011, strap, sides=6)


def _turned(points: np.ndarray, quarter_turns: int) -> np.ndarray:
    """Turn *points* about the ring's centre, from the +z side to the next."""
    out = points.copy()
    for _ in range(quarter_turns):
        out = np.stack([out[:, 2], out[:, 1], -out[:, 0]], axis=1)
    return out.astype(np.float32)

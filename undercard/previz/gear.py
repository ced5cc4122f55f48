"""Gloves and boots: their shapes, where each part of them begins, and which bones carry them. Used by the bake only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undercard.previz.sculpt import Distances, Points, Triangles, cone, ellipsoid, join, keep, surface


@dataclass(frozen=True, slots=True)
class Solid:
    """A piece of gear in the rest pose."""

    vertices: Points
    faces: Triangles
    part_of_vertex: NDArray[np.float64]
    """Shape (n, k): one column a border between parts; above 0 is beyond the border."""
    weights: Mapping[str, NDArray[np.float64]]
    """Bone → shape (n,): how much it carries each vertex."""


def glove(wrist: Points, forearm: Points, thumb: Points, *, left: bool) -> Solid:
    """Return a ten-ounce glove on a straight wrist.

    Args:
        wrist: the wrist, shape (3,).
        forearm: unit vector from the elbow to the wrist.
        thumb: direction of the thumb; only its part across the forearm counts.
        left: whether it is the left hand.
    """
    across = thumb - forearm * (thumb @ forearm)
    across /= np.linalg.norm(across)
    back = np.cross(across, forearm) if left else np.cross(forearm, across)
    local, faces = surface(_glove_distance, np.array([-0.085, -0.095, -0.1]), np.array([0.1, 0.085, 0.19]), 0.012)
    # Local axes: towards the thumb, the back of the hand, the knuckles.
    axes = np.stack([across, back, forearm])
    if np.linalg.det(axes) < 0:
        faces = faces[:, ::-1]
    # The cuff's lining stays leather; the tape is wound over the laces, between the two borders.
    borders = np.stack([local[:, 2] - 0.006, local[:, 2] + 0.044], 1)
    return Solid(wrist + local @ axes, faces, borders, {"hand": np.ones(len(local))})


def _glove_distance(p: Points) -> Distances:
    fist = ellipsoid(p, (-0.004, 0.004, 0.094), (0.062, 0.054, 0.074))
    fingers = ellipsoid(p, (-0.006, -0.026, 0.104), (0.057, 0.040, 0.060))
    palm = ellipsoid(p, (0.004, -0.012, 0.035), (0.048, 0.042, 0.055))
    wrist = cone(p, np.array([0.0, 0.0, -0.07]), np.array([0.0, 0.0, 0.04]), (0.047, 0.043))
    wrist = keep(wrist, -0.075 - p[:, 2], 0.012)
    thumb = join(
        cone(p, np.array([0.034, -0.004, 0.022]), np.array([0.058, -0.016, 0.062]), (0.024, 0.026)),
        cone(p, np.array([0.058, -0.016, 0.062]), np.array([0.050, -0.034, 0.104]), (0.026, 0.022)),
        0.01,
    )
    hand = join(join(fist, fingers, 0.03), join(palm, wrist, 0.03), 0.03)
    # The tape sinks into the padding a little on both sides of it.
    groove = 0.004 * np.exp(-(((p[:, 2] - 0.006) / 0.007) ** 2)) + 0.003 * np.exp(-(((p[:, 2] + 0.044) / 0.006) ** 2))
    return join(hand + groove, thumb, 0.009)


def boot(ankle: Points, knee: Points, ball: Points, toe: Points, calf_radius: float, height: float) -> Solid:
    """Return an ankle-high boxing boot that stands on y = 0.

    Args:
        ankle: the ankle, shape (3,); so are *knee*, *ball* and *toe* (the foot's other joints).
        knee: see *ankle*.
        ball: see *ankle*.
        toe: see *ankle*.
        calf_radius: of the leg where the boot ends, metres.
        height: from the ankle to the boot's top, metres.
    """
    up = (knee - ankle) / np.linalg.norm(knee - ankle)
    top = ankle + up * height
    heel = np.array([ankle[0], 0.038, ankle[2] - 0.034])
    sole_ball = np.array([ball[0], 0.030, ball[2]])
    instep = np.array([ball[0], 0.046, ball[2] - 0.03])
    tip = np.array([toe[0], 0.027, toe[2] + 0.004])

    def distance(p: Points) -> Distances:
        shaft = cone(p, ankle - 0.01 * up, top + 0.03 * up, (0.047, calf_radius))
        # A true cap at the top: the leg comes out of it.
        shaft = keep(shaft, (p - top) @ up, 0.008)
        back = ellipsoid(p, tuple(heel), (0.037, 0.042, 0.042))
        bridge = cone(p, ankle + np.array([0.0, -0.012, 0.012]), instep, (0.044, 0.036))
        middle = cone(p, heel, sole_ball, (0.035, 0.037))
        front = ellipsoid(p, tuple(sole_ball + np.array([0.0, 0.0, 0.012])), (0.051, 0.037, 0.064))
        point = ellipsoid(p, tuple(tip - np.array([0.0, 0.0, 0.022])), (0.041, 0.030, 0.05))
        upper = join(join(back, bridge, 0.03), join(middle, join(front, point, 0.03), 0.03), 0.03)
        upper = join(upper, shaft, 0.025)
        # The sole stands a little proud of the upper and is flat below.
        welt = 0.004 * np.clip((0.020 - p[:, 1]) / 0.004, 0.0, 1.0)
        return keep(upper - welt, 0.002 - p[:, 1], 0.006)

    reach = np.array([0.075, 0.0, 0.0])
    low = np.minimum(heel, tip) - np.array([0.07, 0.05, 0.07])
    high = np.maximum(np.maximum(tip, top), heel) + np.array([0.03, 0.02, 0.07])
    vertices, faces = surface(distance, low - reach * 0.3, high + reach * 0.6, 0.0145)
    return Solid(vertices, faces, _boot_borders(vertices, ankle, top, up, ball), _boot_weights(vertices, ankle, ball))


def _boot_borders(p: Points, ankle: Points, top: Points, up: Points, ball: Points) -> NDArray[np.float64]:
    """Return the borders of the sole, of the cuff and of the strip of laces."""
    sole = 0.019 - p[:, 1]
    cuff = (p - top) @ up + 0.020
    t = np.clip((p[:, 1] - ankle[1] + 0.02) / 0.1, 0.0, 1.0)
    middle = ball[0] + (top[0] - ball[0]) * t
    in_front = p[:, 2] - (ankle[2] + 0.018 + 0.02 * (1 - t))
    not_toe = ball[2] + 0.015 - p[:, 2]
    above = p[:, 1] - 0.05
    laces = np.minimum.reduce([0.013 - np.abs(p[:, 0] - middle), in_front, not_toe, above])
    return np.stack([sole, cuff, laces], 1)


def _boot_weights(p: Points, ankle: Points, ball: Points) -> dict[str, NDArray[np.float64]]:
    calf = _smooth((p[:, 1] - ankle[1] - 0.005) / 0.06)
    toes = _smooth((p[:, 2] - ball[2] + 0.025) / 0.05) * (1.0 - calf)
    return {"calf": calf, "ball": toes, "foot": 1.0 - calf - toes}


def _smooth(t: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.clip(t, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float64)

"""Rotations as 3 × 3 matrices, and the two-bone reach."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.domain.staging import Vec3

Vector: TypeAlias = NDArray[np.float64]
"""Shape (3,)."""
Matrix: TypeAlias = NDArray[np.float64]
"""Shape (3, 3)."""

_TINY = 1e-9


def turn(degrees: Vec3 | Vector) -> Matrix:
    """Return the rotation of (yaw, pitch, roll): to the left, bowing forward, tipping to the right shoulder."""
    yaw, pitch, roll = (math.radians(float(angle)) for angle in degrees)
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    return np.array(
        [
            [cy * cr + sy * sp * sr, -cy * sr + sy * sp * cr, sy * cp],
            [cp * sr, cp * cr, -sp],
            [-sy * cr + cy * sp * sr, sy * sr + cy * sp * cr, cy * cp],
        ]
    )


def unit(vector: Vector, fallback: Vector) -> Vector:
    """Return *vector* at length 1, or *fallback* where it has no direction."""
    length = math.sqrt(float(vector @ vector))
    return vector / length if length > _TINY else fallback


def cross(a: Vector, b: Vector) -> Vector:
    """Return the cross product; numpy's own costs ten times as much on single vectors."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def perpendicular(direction: Vector, wish: Vector) -> Vector:
    """Return the unit vector across *direction* nearest to *wish*; any one across it where they are parallel."""
    across = wish - direction * float(direction @ wish)
    if float(across @ across) < _TINY:
        least = int(np.argmin(np.abs(direction)))
        axis = np.zeros(3)
        axis[least] = 1.0
        across = axis - direction * float(direction[least])
    return across / math.sqrt(float(across @ across))


def arc(start: Vector, end: Vector) -> Matrix:
    """Return the shortest rotation from one direction to another (Rodrigues' formula)."""
    a, b = unit(start, np.array([0.0, 1.0, 0.0])), unit(end, np.array([0.0, 1.0, 0.0]))
    cosine = float(a @ b)
    if cosine < -0.9999:
        # Rodrigues divides by nought here: half a turn to the opposite, and the little that is left from there.
        axis = perpendicular(a, np.array([1.0, 0.0, 0.0]))
        return np.asarray(arc(-a, b) @ (2.0 * np.outer(axis, axis) - np.eye(3)), np.float64)
    x, y, z = cross(a, b)
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + skew + skew @ skew / (1.0 + cosine), np.float64)


def about(axis: Vector, radians: float) -> Matrix:
    """Return the rotation about a unit axis."""
    x, y, z = axis
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turned = np.eye(3) + math.sin(radians) * skew + (1.0 - math.cos(radians)) * (skew @ skew)
    return np.asarray(turned, np.float64)


def reach(root: Vector, target: Vector, upper: float, lower: float, pole: Vector) -> tuple[Vector, Vector]:
    """Return where the middle and the end of two bones come to be (law of cosines).

    Args:
        root: where the upper bone begins.
        target: where the lower one should end; drawn in or pushed out to what the bones can reach.
        upper: length, metres.
        lower: length, metres.
        pole: direction in which the middle joint points.
    """
    way = target - root
    direction = unit(way, np.array([0.0, -1.0, 0.0]))
    # Never quite straight, so that the bend keeps its side.
    span = min(max(math.sqrt(float(way @ way)), abs(upper - lower) + 0.02), (upper + lower) * 0.998)
    along = (upper * upper - lower * lower + span * span) / (2.0 * span)
    out = math.sqrt(max(upper * upper - along * along, 0.0))
    return root + direction * along + perpendicular(direction, pole) * out, root + direction * span

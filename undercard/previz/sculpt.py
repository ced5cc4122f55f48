"""Solids that the bake models as signed distances and meshes: gloves and boots."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Points: TypeAlias = NDArray[np.float64]
"""Shape (n, 3), metres."""
Distances: TypeAlias = NDArray[np.float64]
"""Shape (n,), metres; negative inside."""
Triangles: TypeAlias = NDArray[np.int64]
"""Shape (m, 3)."""
Field: TypeAlias = Callable[[Points], Distances]

# The cells around a grid edge along each axis, counter-clockwise seen from the axis's tip.
_AROUND = (
    ((0, 0, 0), (0, -1, 0), (0, -1, -1), (0, 0, -1)),
    ((0, 0, 0), (0, 0, -1), (-1, 0, -1), (-1, 0, 0)),
    ((0, 0, 0), (-1, 0, 0), (-1, -1, 0), (0, -1, 0)),
)


def ellipsoid(points: Points, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Distances:
    """Return about the distance to an ellipsoid; exact on its surface (Quilez's first-order bound)."""
    local = points - np.array(centre)
    scaled = np.linalg.norm(local / np.array(radii), axis=1)
    steep = np.linalg.norm(local / np.square(np.array(radii)), axis=1)
    # In the very centre the bound is 0 / 0.
    return np.where(steep > 1e-9, scaled * (scaled - 1.0) / np.maximum(steep, 1e-9), -min(radii))


def cone(points: Points, start: Points, end: Points, radii: tuple[float, float]) -> Distances:
    """Return about the distance to a capsule whose radius passes from one end's to the other's."""
    along = end - start
    t = np.clip((points - start) @ along / (along @ along), 0.0, 1.0)
    nearest = start + t[:, None] * along
    radius = radii[0] + (radii[1] - radii[0]) * t
    return np.asarray(np.linalg.norm(points - nearest, axis=1) - radius, np.float64)


def join(a: Distances, b: Distances, blend: float) -> Distances:
    """Return the union of two solids, melted together over *blend* metres (polynomial smooth minimum)."""
    h = np.maximum(blend - np.abs(a - b), 0.0) / blend
    return np.minimum(a, b) - h * h * blend / 4.0


def keep(a: Distances, b: Distances, blend: float) -> Distances:
    """Return the intersection of two solids with an edge rounded over *blend* metres."""
    return -join(-a, -b, blend)


def surface(field: Field, low: Points, high: Points, step: float) -> tuple[Points, Triangles]:
    """Mesh the zero set of *field* within a box by naive surface nets (Gibson 1998), then settle it on the set.

    Args:
        field: the solid.
        low: the box's least corner, shape (3,); the set must lie within the box.
        high: its greatest.
        step: side of a cell, metres.

    Returns:
        Vertices and counter-clockwise triangles.
    """
    axes = [np.arange(low[k], high[k] + step, step) for k in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    values = field(grid.reshape(-1, 3)).reshape(grid.shape[:3])
    vertices, number = _cell_vertices(grid, values, step)
    quads = [_quads(values, number, axis) for axis in range(3)]
    faces = np.concatenate([np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]) for quad in quads])
    for _ in range(3):
        gradient = _gradient(field, vertices)
        vertices = vertices - field(vertices)[:, None] * gradient
    return vertices, faces


def _cell_vertices(grid: Points, values: Distances, step: float) -> tuple[Points, NDArray[np.int64]]:
    """Return a vertex for each cell that the set crosses, and each cell's number (-1 without one)."""
    inside = values < 0.0
    corners = [
        np.s_[i : i - 1 or None, j : j - 1 or None, k : k - 1 or None] for i in (0, 1) for j in (0, 1) for k in (0, 1)
    ]
    count = sum(inside[corner].astype(np.int64) for corner in corners)
    crossed = np.asarray((count > 0) & (count < 8), np.bool_)
    number = np.full(crossed.shape, -1, np.int64)
    number[crossed] = np.arange(int(crossed.sum()))
    # Weighting the corners by nearness to the set is enough to start from; settling does the rest.
    weights = [1.0 / (np.abs(values[corner][crossed]) + step * 0.1) for corner in corners]
    total = sum(weights)
    centre = sum(w[:, None] * grid[corner][crossed] for w, corner in zip(weights, corners, strict=True))
    return np.asarray(centre / np.asarray(total)[:, None], np.float64), number


def _quads(values: Distances, number: NDArray[np.int64], axis: int) -> NDArray[np.int64]:
    """Return a quad around each grid edge along *axis* that the set crosses."""
    inside = values < 0.0
    ahead = np.roll(inside, -1, axis)
    crossing = inside != ahead
    crossing[tuple(np.s_[-1:] if k == axis else np.s_[:] for k in range(3))] = False
    where = np.argwhere(crossing)
    # Along the axis itself an edge may begin on the box's side: all four cells around it are in the box.
    within = (where > 0) & (where < np.array(values.shape) - 1)
    within[:, axis] = True
    where = where[within.all(1)]
    cells = np.stack([number[tuple((where + np.array(shift)).T)] for shift in _AROUND[axis]], 1)
    outward = inside[tuple(where.T)]
    cells[~outward] = cells[~outward][:, ::-1]
    return cells[(cells >= 0).all(1)]


def _gradient(field: Field, points: Points) -> Points:
    small = 1e-4
    shifts = np.eye(3) * small
    gradient = np.stack([field(points + s) - field(points - s) for s in shifts], 1) / (2 * small)
    # Newton's step divides by the slope's square; a field that is not a true distance needs that.
    return np.asarray(gradient / np.maximum((gradient**2).sum(1, keepdims=True), 0.05), np.float64)

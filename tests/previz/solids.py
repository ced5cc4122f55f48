"""What geometry says of closed meshes."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray


def volume(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> float:
    """Return the volume that triangles enclose; above 0 where they are counter-clockwise seen from outside."""
    a, b, c = (np.asarray(vertices, np.float64)[faces[:, k]] for k in range(3))
    return float((a * np.cross(b, c)).sum() / 6.0)


def area(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> float:
    """Return the area of all triangles together."""
    a, b, c = (np.asarray(vertices, np.float64)[faces[:, k]] for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2.0)


def is_closed(faces: NDArray[np.integer]) -> bool:
    """Return whether each edge is passed once in either direction, so that no gap lets light through."""
    passed = Counter((int(f[k]), int(f[(k + 1) % 3])) for f in faces for k in range(3))
    return all(count == 1 and passed[end, start] == 1 for (start, end), count in list(passed.items()))

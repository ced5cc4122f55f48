"""A mesh in parts that can be cut, refined and joined. Used by the bake only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from undercard.previz.gear import Solid
from undercard.previz.makehuman import Figurine
from undercard.previz.sculpt import Distances, Points, Triangles

PARTS = (
    *("skin", "lips", "brows", "beard", "fade", "hair", "eye", "iris", "pupil"),
    *("trunks", "trim", "gloves", "cuff", "tape", "boots", "sole", "sock", "laces"),
)


@dataclass(frozen=True, slots=True)
class Cloth:
    """A mesh whose triangles belong to parts, and which can be cut."""

    vertices: Points
    weights: NDArray[np.float64]
    faces: Triangles
    parts: NDArray[np.int64]
    """Shape (m,), indices into PARTS."""

    def cut(self, level: Distances, part: str, within: Sequence[str]) -> Cloth:
        """Give what lies where *level* is above 0 to *part*, cutting triangles of the parts *within*."""
        mine = np.isin(self.parts, [PARTS.index(name) for name in within])
        above = level[self.faces] >= 0.0
        crossed = mine & above.any(1) & ~above.all(1)
        parts = self.parts.copy()
        parts[mine & above.all(1)] = PARTS.index(part)
        rows = np.concatenate([self.vertices, self.weights], 1)
        extra, faces, found = _split(rows, self.faces[crossed], level, parts[crossed], PARTS.index(part))
        rows = np.concatenate([rows, extra])
        return Cloth(
            rows[:, :3],
            rows[:, 3:],
            np.concatenate([self.faces[~crossed], faces]),
            np.concatenate([parts[~crossed], found]),
        )

    def finer(self, chosen: NDArray[np.bool_]) -> Cloth:
        """Split each chosen triangle into four at the middles of its edges."""
        faces = self.faces[chosen]
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
        pairs, index = np.unique(edges, axis=0, return_inverse=True)
        ab, bc, ca = (index.reshape(3, -1) + len(self.vertices)).astype(np.int64)
        a, b, c = faces.T
        quarters = [np.stack(corners, 1) for corners in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        return Cloth(
            np.concatenate([self.vertices, self.vertices[pairs].mean(1)]),
            np.concatenate([self.weights, self.weights[pairs].mean(1)]),
            np.concatenate([self.faces[~chosen], *quarters]),
            np.concatenate([self.parts[~chosen], np.tile(self.parts[chosen], 4)]),
        )

    def without(self, dropped: NDArray[np.bool_]) -> Cloth:
        """Return the mesh less the triangles marked."""
        return replace(self, faces=self.faces[~dropped], parts=self.parts[~dropped])

    def without_slivers(self, least_metres2: float) -> Cloth:
        """Return the mesh less the triangles of less than an area: they have no normal to speak of."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        return self.without(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2.0 < least_metres2)

    def without_unused(self) -> Cloth:
        """Return the mesh less the vertices that no triangle has."""
        used, faces = np.unique(self.faces, return_inverse=True)
        return replace(
            self,
            vertices=self.vertices[used],
            weights=self.weights[used],
            faces=faces.reshape(-1, 3),
        )

    def with_solid(
        self, solid: Solid, figurine: Figurine, borders: Sequence[int], parts: Sequence[str], side: str
    ) -> Cloth:
        """Return the mesh with a piece of gear; `parts[0]` lies within every border, `parts[k + 1]` beyond the k-th."""
        weights = np.zeros((len(solid.vertices), len(figurine.bones)))
        for bone, share in solid.weights.items():
            weights[:, figurine.bones.index(f"{bone}_{side}")] = share
        # The borders ride along as weights do, so that cuts carry them to new vertices.
        columns = np.concatenate([weights, solid.part_of_vertex], 1)
        piece = Cloth(solid.vertices, columns, solid.faces, np.full(len(solid.faces), PARTS.index(parts[0]), np.int64))
        for border, part in zip(borders, parts[1:], strict=True):
            piece = piece.cut(piece.weights[:, len(figurine.bones) + border], part, _cuttable(part, parts))
        return self.joined(replace(piece, weights=piece.weights[:, : len(figurine.bones)]))

    def joined(self, other: Cloth) -> Cloth:
        """Return both meshes as one."""
        return Cloth(
            np.concatenate([self.vertices, other.vertices]),
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.faces, other.faces + len(self.vertices)]),
            np.concatenate([self.parts, other.parts]),
        )


def _cuttable(part: str, parts: Sequence[str]) -> Sequence[str]:
    # The tape covers cuff only; every other part is cut out of the first.
    return (parts[0],) if part != "tape" else ("cuff",)


def _split(
    rows: NDArray[np.float64], faces: Triangles, level: Distances, parts: NDArray[np.int64], part: int
) -> tuple[NDArray[np.float64], Triangles, NDArray[np.int64]]:
    """Cut triangles along the zero line of *level*; return the new rows, the triangles and their parts."""
    made: dict[tuple[int, int], int] = {}
    extra: list[NDArray[np.float64]] = []
    out: list[tuple[int, int, int]] = []
    found: list[int] = []

    def crossing(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in made:
            t = level[a] / (level[a] - level[b])
            made[key] = len(rows) + len(extra)
            extra.append(rows[a] * (1.0 - t) + rows[b] * t)
        return made[key]

    for corners, old in zip(faces.tolist(), parts.tolist(), strict=True):
        above = [level[corner] >= 0.0 for corner in corners]
        lone = above.index(sum(above) == 1)
        a, b, c = (corners[(lone + k) % 3] for k in range(3))
        ab, ac = crossing(a, b), crossing(a, c)
        out += [(a, ab, ac), (ab, b, c), (ab, c, ac)]
        found += [part, old, old] if above[lone] else [old, part, part]
    columns = rows.shape[1]
    return np.array(extra).reshape(-1, columns), np.array(out, np.int64).reshape(-1, 3), np.array(found, np.int64)

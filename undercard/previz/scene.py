"""The stage as arrays: every triangle with its material and owner, and the Embree tree that rays are cast into."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from undercard.previz.mesh import Floats, Ints, Mesh

MATERIAL_COLUMNS = 7
"""Of the material table: red, green, blue, specular, shininess, texture, owner."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Where rays ended, one row a ray."""

    triangle: Ints
    """-1 where the ray met nothing."""
    distance: Floats
    u: Floats
    v: Floats


class Scene:
    """Meshes to cast rays into, each with an owner: 0 the ring, 1 and up the fighters.

    Arrays:
        corners: Normal and rest place of each vertex, shape (n, 6), side by side for the shader's sake.
        faces: Shape (m, 3).
        face_materials: Shape (m,), rows of *materials*.
        materials: Shape (k, MATERIAL_COLUMNS).
    """

    def __init__(self, meshes: Sequence[tuple[Mesh, int]]) -> None:
        """Lay the meshes side by side and build the tree (about 60 ms for 90 000 triangles)."""
        first_vertex = np.cumsum([0, *(len(mesh.vertices) for mesh, _ in meshes)])
        first_material = np.cumsum([0, *(len(mesh.materials) for mesh, _ in meshes)])
        self.corners: Floats = np.empty((first_vertex[-1], 6), np.float32)
        for (mesh, _), first in zip(meshes, first_vertex[:-1], strict=True):
            part = self.corners[first : first + len(mesh.vertices)]
            part[:, :3] = mesh.normals
            part[:, 3:] = mesh.vertices if mesh.rest is None else mesh.rest
        self.faces: Ints = np.concatenate(
            [mesh.faces + np.int32(first) for (mesh, _), first in zip(meshes, first_vertex[:-1], strict=True)]
        )
        self.face_materials: Ints = np.concatenate(
            [mesh.face_materials + first for (mesh, _), first in zip(meshes, first_material[:-1], strict=True)]
        ).astype(np.int32)
        self.materials: Floats = _material_table(meshes)
        self._tree = EmbreeScene()
        for mesh, _ in meshes:
            TriangleMesh(self._tree, mesh.vertices, _corners(mesh.faces))
        # Embree numbers a mesh's triangles from 0; the last entry is for rays that met none, whose mesh is -1.
        self._first_triangle = np.cumsum([0, *(len(mesh.faces) for mesh, _ in meshes)], dtype=np.int32)
        self._first_triangle[-1] = 0
        # Embree commits the tree at the first ray, which must not happen in two threads at once.
        self.cast(np.zeros((1, 3), np.float32), np.array([[0.0, 1.0, 0.0]], np.float32))

    def cast(self, origins: Floats, directions: Floats) -> Hits:
        """Return the nearest hit of each ray; both arrays (n, 3), directions of unit length. Leaves the GIL."""
        found = self._tree.run(origins, directions, output=1)
        triangle = found["primID"]
        triangle += self._first_triangle[found["geomID"]]
        return Hits(triangle, found["tfar"], found["u"], found["v"])

    def blocked(self, origins: Floats, directions: Floats, reach: Floats) -> NDArray[np.int32]:
        """Return 0 where something lies within *reach* metres of a ray's origin, else -1. Leaves the GIL."""
        answer: NDArray[np.int32] = self._tree.run(origins, directions, dists=reach, query="OCCLUDED")
        return answer


_KNOWN_CORNERS: dict[int, tuple[weakref.ref[Ints], NDArray[np.object_]]] = {}


def _corners(faces: Ints) -> NDArray[np.object_]:
    """Return *faces* as an array of tuples, made once for an array that lives on.

    embreex reads `faces[i][k]` through the interpreter, under its lock. Where `faces[i]` is a tuple that is five times
    as fast as where it has to be made, and a figure's triangles stay the same while its vertices move.
    """
    key = id(faces)
    known = _KNOWN_CORNERS.get(key)
    if known is not None and known[0]() is faces:
        return known[1]
    corners = np.empty(len(faces), np.object_)
    corners[:] = [*map(tuple, faces.tolist())]
    _KNOWN_CORNERS[key] = (weakref.ref(faces, lambda _: _KNOWN_CORNERS.pop(key, None)), corners)
    return corners


def _material_table(meshes: Sequence[tuple[Mesh, int]]) -> Floats:
    rows = [
        (*m.colour, m.specular, m.shininess, float(m.texture), float(owner))
        for mesh, owner in meshes
        for m in mesh.materials
    ]
    return np.array(rows, np.float32).reshape(-1, MATERIAL_COLUMNS)

"""Simple solids as meshes: tubes, rounded boxes, quads; what ring and arena are built from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.previz.mesh import Floats, Ints, Material, Mesh

Point: TypeAlias = Sequence[float] | NDArray[np.float64]


def mesh(vertices: Floats, faces: Ints, material: Material, normals: Floats | None = None) -> Mesh:
    """Return a mesh of one material; smooth normals are computed where none are given."""
    vertices = np.ascontiguousarray(vertices, np.float32)
    faces = np.ascontiguousarray(faces, np.int32)
    return Mesh(
        vertices=vertices,
        normals=smooth_normals(vertices, faces) if normals is None else normals.astype(np.float32),
        faces=faces,
        face_materials=np.zeros(len(faces), np.int32),
        materials=(material,),
    )


def join(meshes: Iterable[Mesh]) -> Mesh:
    """Return one mesh of all *meshes*, with their materials side by side."""
    meshes = tuple(meshes)
    first_vertex = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    first_material = np.cumsum([0, *(len(m.materials) for m in meshes)])
    return Mesh(
        vertices=np.concatenate([m.vertices for m in meshes]),
        normals=np.concatenate([m.normals for m in meshes]),
        faces=np.concatenate([m.faces + v for m, v in zip(meshes, first_vertex[:-1], strict=True)]).astype(np.int32),
        face_materials=np.concatenate(
            [m.face_materials + v for m, v in zip(meshes, first_material[:-1], strict=True)]
        ).astype(np.int32),
        materials=tuple(material for m in meshes for material in m.materials),
    )


def smooth_normals(vertices: Floats, faces: Ints) -> Floats:
    """Return the area-weighted mean normal at each vertex, shape (n, 3)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face_normals = np.cross(b - a, c - a)
    normals = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(normals, faces[:, corner], face_normals)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: Floats = (normals / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit


def tube(path: Floats, radius: float, material: Material, sides: int = 10) -> Mesh:
    """Return a tube of *radius* metres around the points of *path* (n, 3), open at both ends."""
    path = np.asarray(path, np.float64)
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    helper = np.where(np.abs(along[:, 1:2]) > 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    side = np.cross(along, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, along)
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    around = np.cos(turn)[None, :, None] * side[:, None] + np.sin(turn)[None, :, None] * up[:, None]
    vertices = (path[:, None] + radius * around).reshape(-1, 3)
    return mesh(
        vertices.astype(np.float32),
        grid_faces(len(path), sides, closed=True),
        material,
        around.reshape(-1, 3).astype(np.float32),
    )


def rounded_box(
    centre: Point, half: Point, material: Material, *, turn_degrees: float = 0.0, power: float = 8.0, detail: int = 32
) -> Mesh:
    """Return a superellipsoid: a box of half-extents *half* with soft edges, turned about the y axis.

    |x/a|ᵖ + |y/b|ᵖ + |z/c|ᵖ = 1 (Barr, "Superquadrics", 1981); *power* 2 is an
    ellipsoid; *detail* is the number of vertices around.
    """
    columns, rows = detail, detail // 2 + 3
    east, north = np.meshgrid(
        np.linspace(0, 2 * np.pi, columns, endpoint=False), np.linspace(-np.pi / 2, np.pi / 2, rows)
    )
    vertices = np.stack(
        [
            half[0] * _signed_power(np.cos(north), 2 / power) * _signed_power(np.cos(east), 2 / power),
            half[1] * _signed_power(np.sin(north), 2 / power),
            -half[2] * _signed_power(np.cos(north), 2 / power) * _signed_power(np.sin(east), 2 / power),
        ],
        axis=-1,
    ).reshape(-1, 3)
    gradient = np.sign(vertices) * np.abs(vertices / half) ** (power - 1) / half
    normals = gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-12)
    spin = yaw(turn_degrees)
    return mesh(
        (vertices @ spin.T + np.asarray(centre)).astype(np.float32),
        grid_faces(rows, columns, closed=True)[:, ::-1],
        material,
        (normals @ spin.T).astype(np.float32),
    )


def quad(a: Point, b: Point, c: Point, d: Point, material: Material) -> Mesh:
    """Return a flat quad, its corners counter-clockwise as seen from outside."""
    return mesh(np.array([a, b, c, d], np.float32), np.array([[0, 1, 2], [0, 2, 3]], np.int32), material)


def yaw(degrees: float) -> np.ndarray:
    """Return the rotation about y that turns +z toward +x."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def grid_faces(rows: int, columns: int, *, closed: bool) -> Ints:
    """Return the triangles of a grid of vertices, row after row; *closed* joins the last column to the first."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    a = (row * columns + column).ravel()
    b = (row * columns + (column + 1) % columns).ravel()
    upper = np.stack([a, a + columns, b + columns], axis=1)
    lower = np.stack([a, b + columns, b], axis=1)
    return np.concatenate([upper, lower]).astype(np.int32)


def _signed_power(value: np.ndarray, exponent: float) -> np.ndarray:
    powered: np.ndarray = np.sign(value) * np.abs(value) ** exponent
    return powered

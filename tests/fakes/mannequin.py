"""A data folder as MPFB2 stores it, with a mannequin of ellipsoids in the place of MakeHuman's base mesh.

Its measures, in metres, standing on y = 0: eyes at 1.62, waist at 1.15, hips at 0.92, knees at 0.50, arms held out.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undercard.previz.makehuman import MOUTH_VERTEX
from undercard.previz.mesh import Material
from undercard.previz.shapes import rounded_box

Place = tuple[float, float, float]

EYES_Y, MOUTH_Y, TOP_Y = 1.62, 1.56, 1.76
# MakeHuman counts in decimetres, from a point in the middle of the body.
_DECIMETRES = 10.0
_MIDDLE_Y = 0.9
_EYE = (0.032, EYES_Y, 0.075)
_MATERIAL = Material((0.5, 0.5, 0.5), 0.0, 1.0)

# Name → centre, half-extents, bone. The head is first: the line between the lips has a fixed number.
_MIDDLE: Mapping[str, tuple[Place, Place, str]] = {
    "head": ((0.0, EYES_Y, 0.0), (0.075, TOP_Y - EYES_Y, 0.1), "head"),
    "neck": ((0.0, 1.45, 0.0), (0.055, 0.08, 0.055), "neck_01"),
    "torso": ((0.0, 1.2, 0.0), (0.17, 0.3, 0.11), "spine_02"),
    "hips": ((0.0, 0.95, 0.0), (0.16, 0.14, 0.11), "pelvis"),
}
_LEFT: Mapping[str, tuple[Place, Place, str]] = {
    "thigh": ((0.09, 0.7, 0.0), (0.075, 0.28, 0.08), "thigh"),
    "calf": ((0.09, 0.3, 0.0), (0.05, 0.28, 0.055), "calf"),
    "foot": ((0.09, 0.04, 0.06), (0.04, 0.04, 0.12), "foot"),
    "upper arm": ((0.3, 1.4, 0.0), (0.14, 0.045, 0.045), "upperarm"),
    "forearm": ((0.55, 1.4, 0.0), (0.14, 0.04, 0.04), "lowerarm"),
    "hand": ((0.75, 1.4, 0.0), (0.08, 0.02, 0.045), "hand"),
}
_TIGHTS = ("torso", "hips", "thigh", "calf")

# Bone → parent, where it begins, where it ends.
_BONES: Mapping[str, tuple[str, Place, Place]] = {
    "pelvis": ("Root", (0.0, 0.95, 0.0), (0.0, 1.05, 0.0)),
    "spine_01": ("pelvis", (0.0, 1.05, 0.0), (0.0, 1.15, 0.0)),
    "spine_02": ("spine_01", (0.0, 1.15, 0.0), (0.0, 1.3, 0.0)),
    "spine_03": ("spine_02", (0.0, 1.3, 0.0), (0.0, 1.42, 0.0)),
    "neck_01": ("spine_03", (0.0, 1.42, 0.0), (0.0, 1.52, 0.0)),
    "head": ("neck_01", (0.0, 1.52, 0.0), (0.0, TOP_Y, 0.0)),
    "clavicle": ("spine_03", (0.02, 1.4, 0.0), (0.17, 1.4, 0.0)),
    "upperarm": ("clavicle", (0.17, 1.4, 0.0), (0.42, 1.4, 0.0)),
    "lowerarm": ("upperarm", (0.42, 1.4, 0.0), (0.67, 1.4, 0.0)),
    "hand": ("lowerarm", (0.67, 1.4, 0.0), (0.83, 1.4, 0.0)),
    "thumb_01": ("hand", (0.72, 1.4, 0.05), (0.75, 1.4, 0.08)),
    "thigh": ("pelvis", (0.09, 0.92, 0.0), (0.09, 0.5, 0.0)),
    "calf": ("thigh", (0.09, 0.5, 0.0), (0.09, 0.08, 0.0)),
    "foot": ("calf", (0.09, 0.08, 0.0), (0.09, 0.02, 0.12)),
    "ball": ("foot", (0.09, 0.02, 0.12), (0.09, 0.02, 0.18)),
}
_TWICE = ("clavicle", "upperarm", "lowerarm", "hand", "thumb_01", "thigh", "calf", "foot", "ball")


class _Mesh:
    """Vertices in metres, groups of faces, and the bone of each vertex."""

    def __init__(self) -> None:
        self.vertices: list[Place] = []
        self.groups: dict[str, list[list[int]]] = {}
        self.bones: list[str] = []

    def add(self, group: str, vertices: Iterable[Iterable[float]], faces: Iterable[list[int]], bone: str) -> None:
        first = len(self.vertices)
        for x, y, z in vertices:
            self.vertices.append((float(x), float(y), float(z)))
            self.bones.append(bone)
        self.groups.setdefault(group, []).extend([corner + first for corner in face] for face in faces)


def write_mannequin(folder: Path, targets: Iterable[str] = ()) -> Path:
    """Write the data folder of a mannequin; each of *targets* lifts the top of its head by a decimetre.

    Returns:
        *folder*, with `3dobjs`, `rigs` and `targets`.
    """
    mesh = _Mesh()
    for name, centre, half, bone in _pieces():
        vertices, faces = _ellipsoid(centre, half, detail=80 if name == "head" else 36, power=2.4)
        if name == "head":
            _put_mouth_in_its_place(vertices, faces)
        mesh.add("body", vertices, faces.tolist(), bone)
    for side, sign in (("l", 1.0), ("r", -1.0)):
        vertices, faces = _ellipsoid((sign * _EYE[0], *_EYE[1:]), (0.012, 0.012, 0.012), detail=16, power=2.0)
        mesh.add(f"helper-{side}-eye", vertices, faces.tolist(), "head")
    for name, centre, half, bone in _pieces():
        if name in _TIGHTS:
            x, y, z = half
            vertices, faces = _ellipsoid(centre, (x + 0.004, y, z + 0.004), detail=28, power=2.4)
            mesh.add("helper-tights", vertices, faces.tolist(), bone)
    rig = {bone: _rigged(mesh, bone, *joint) for bone, joint in _all_bones()}
    _write(folder / "rigs/standard/rig.game_engine.json", json.dumps(rig))
    _write(folder / "rigs/standard/weights.game_engine.json", json.dumps({"weights": _weights(mesh)}))
    _write(folder / "3dobjs/base.obj", _obj(mesh))
    places = np.array(mesh.vertices)
    top = np.flatnonzero(places[:, 1] > TOP_Y - 1e-4)
    for target in targets:
        _write_target(folder / "targets" / f"{target}.target.gz", top, (0.0, 1.0, 0.0))
    for side, sign in (("l", 1.0), ("r", -1.0)):
        apart = np.linalg.norm(places - [sign * 0.075, EYES_Y, -0.01], axis=1)
        _write_target(folder / f"targets/ears/{side}-ear-trans-forward.target.gz", np.argsort(apart)[:4], (0, 0, 0.1))
    return folder


def _pieces() -> Iterator[tuple[str, Place, Place, str]]:
    for name, (centre, half, bone) in _MIDDLE.items():
        yield name, centre, half, bone
    for name, ((x, y, z), half, bone) in _LEFT.items():
        yield name, (x, y, z), half, f"{bone}_l"
        yield name, (-x, y, z), half, f"{bone}_r"


def _all_bones() -> Iterator[tuple[str, tuple[str, Place, Place]]]:
    for bone, (parent, head, tail) in _BONES.items():
        if bone not in _TWICE:
            yield bone, (parent, head, tail)
            continue
        for side, sign in (("l", 1.0), ("r", -1.0)):
            above = f"{parent}_{side}" if parent in _TWICE else parent
            yield f"{bone}_{side}", (above, (sign * head[0], *head[1:]), (sign * tail[0], *tail[1:]))


def _ellipsoid(centre: Place, half: Place, detail: int, power: float) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    solid = rounded_box(centre, half, _MATERIAL, power=power, detail=detail)
    return solid.vertices.astype(np.float64), solid.faces


def _put_mouth_in_its_place(vertices: NDArray[np.float64], faces: NDArray[np.int32]) -> None:
    mouth = int(np.linalg.norm(vertices - [0.0, MOUTH_Y, 0.1], axis=1).argmin())
    swapped = np.arange(len(vertices), dtype=np.int32)
    swapped[[mouth, MOUTH_VERTEX]] = swapped[[MOUTH_VERTEX, mouth]]
    vertices[:] = vertices[swapped]
    faces[:] = swapped[faces]


def _rigged(mesh: _Mesh, bone: str, parent: str, head: Place, tail: Place) -> dict[str, object]:
    """Return a bone as the rig's file has it, and add the cubes and vertices that say where it is."""
    return {"parent": parent, "head": _cube(mesh, f"joint-{bone}-head", head), "tail": _spot(mesh, tail)}


def _cube(mesh: _Mesh, group: str, place: Place) -> dict[str, object]:
    corners = np.array(place) + 0.002 * np.array([(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
    mesh.add(group, corners, [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1]], "")
    return {"strategy": "CUBE", "cube_name": group}


def _spot(mesh: _Mesh, place: Place) -> dict[str, object]:
    first = len(mesh.vertices)
    x, y, z = place
    mesh.add("joints", [(x, y, z - 0.01), (x, y, z + 0.01), place], [], "")
    if x > 0.0:
        return {"strategy": "MEAN", "vertex_indices": [first, first + 1]}
    return {"strategy": "VERTEX", "vertex_index": first + 2}


def _weights(mesh: _Mesh) -> dict[str, list[tuple[int, float]]]:
    """Return each bone's vertices; a hand shares its own with its thumb."""
    weights: dict[str, list[tuple[int, float]]] = {}
    for vertex, bone in enumerate(mesh.bones):
        if bone.startswith("hand"):
            weights.setdefault(f"thumb_01_{bone[-1]}", []).append((vertex, 0.75))
            weights.setdefault(bone, []).append((vertex, 0.25))
        elif bone:
            weights.setdefault(bone, []).append((vertex, 1.0))
    return weights


def _obj(mesh: _Mesh) -> str:
    lines = ["# a mannequin"]
    lines += [
        f"v {x * _DECIMETRES:.6f} {(y - _MIDDLE_Y) * _DECIMETRES:.6f} {z * _DECIMETRES:.6f}"
        for x, y, z in mesh.vertices
    ]
    for group, faces in mesh.groups.items():
        lines.append(f"g {group}")
        # Corners count from 1, and name a place on the texture too.
        lines += ["f " + " ".join(f"{corner + 1}/{corner + 1}" for corner in face) for face in faces]
    return "\n".join(lines) + "\n"


def _write_target(path: Path, vertices: NDArray[np.intp], shift: tuple[float, float, float]) -> None:
    lines = ["# a morph target", *(f"{vertex} {shift[0]} {shift[1]} {shift[2]}" for vertex in vertices)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

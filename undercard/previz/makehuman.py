"""Reads MakeHuman's base mesh, morph targets, rig and weights as MPFB2 stores them. Used by the bake only."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from undercard.previz.sculpt import Points, Triangles

BONES = (
    *("pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head"),
    *(f"{bone}_{side}" for bone in ("clavicle", "upperarm", "lowerarm", "hand") for side in "lr"),
    *(f"{bone}_{side}" for bone in ("thigh", "calf", "foot", "ball") for side in "lr"),
)
"""The bones that are kept, each after its parent."""
FINGERS = ("thumb", "index", "middle", "ring", "pinky")
# MakeHuman's decimetres.
METRES = 0.1
# The vertex in the middle of the line between the lips; the base mesh numbers its vertices the same in every build.
MOUTH_VERTEX = 523
SOLE_METRES = 0.008
"""What the boots add below the bare foot."""


class _End(TypedDict):
    strategy: str
    cube_name: str
    vertex_index: int
    vertex_indices: list[int]


class _Bone(TypedDict):
    head: _End
    tail: _End
    parent: str


@dataclass(frozen=True, slots=True)
class Build:
    """What a boxer is made of."""

    height_metres: float
    targets: Mapping[str, float]
    """Morph target → how much of it."""
    crop_metres: float
    """Length of the hair."""
    beard: bool
    lips_metres: tuple[float, float]
    """Height of the upper and of the lower lip."""


@dataclass(frozen=True, slots=True)
class Figurine:
    """The morphed base mesh in metres, standing on y = 0, x to its left, z forward."""

    vertices: Points
    groups: Mapping[str, Triangles]
    weights: NDArray[np.float64]
    """Shape (n, bones)."""
    bones: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Points
    tails: Points
    thumb_roots: Mapping[str, Points]
    ears: Points
    """Shape (k, 3): the vertices of both ears."""

    def head(self, bone: str, side: str = "") -> Points:
        """Return where a bone begins, shape (3,)."""
        return np.asarray(self.heads[self.bones.index(f"{bone}_{side}" if side else bone)], np.float64)

    def tail(self, bone: str, side: str = "") -> Points:
        """Return where a bone ends, shape (3,)."""
        return np.asarray(self.tails[self.bones.index(f"{bone}_{side}" if side else bone)], np.float64)

    def thumb(self, side: str) -> Points:
        """Return the unit direction from the wrist to the thumb across the forearm, shape (3,)."""
        forearm = self.head("hand", side) - self.head("lowerarm", side)
        forearm = forearm / np.linalg.norm(forearm)
        thumb = self.thumb_roots[side] - self.head("hand", side)
        thumb = thumb - forearm * (thumb @ forearm)
        return np.asarray(thumb / np.linalg.norm(thumb), np.float64)

    def eye(self, side: str) -> Points:
        """Return the centre of an eyeball, shape (3,)."""
        return np.asarray(self.vertices[np.unique(self.groups[f"helper-{side}-eye"])].mean(0), np.float64)

    def skin(self) -> Points:
        """Return the vertices of the bare body."""
        return self.vertices[np.unique(self.groups["body"])]

    def face_points(self) -> Points:
        """Return nose tip, left and right eye, left and right ear, chin: shape (6, 3)."""
        eyes = self.eye("l"), self.eye("r")
        skin = self.skin()
        below = eyes[0][1] - skin[:, 1]
        middle = np.abs(skin[:, 0]) < 0.008
        nose = skin[middle & (below > 0.015) & (below < 0.06)]
        chin = skin[middle & (below > 0.095) & (below < 0.125) & (skin[:, 2] > eyes[0][2] - 0.02)]
        ears = skin[(np.abs(below - 0.005) < 0.03) & (skin[:, 2] < eyes[0][2] - 0.06)]
        ear = ears[ears[:, 0].argmax()]
        front = np.array([0.0, 0.0, 0.012])
        return np.stack(
            [
                nose[nose[:, 2].argmax()],
                eyes[0] + front,
                eyes[1] + front,
                ear,
                ear * [-1.0, 1.0, 1.0],
                chin[chin[:, 2].argmax()],
            ]
        )

    def calf_radius(self, side: str) -> float:
        """Return the leg's radius 15 cm above the ankle, metres."""
        ankle, knee = self.head("foot", side), self.head("calf", side)
        up = (knee - ankle) / np.linalg.norm(knee - ankle)
        skin = self.skin()
        along = (skin - ankle) @ up
        near = np.abs(along - 0.15) < 0.02
        off = skin[near] - ankle - along[near, None] * up
        distance = np.linalg.norm(off, axis=1)
        return float(np.percentile(distance[distance < 0.12], 75))


def morphed(source: Path, build: Build) -> Figurine:
    """Return the base mesh of MPFB2's data folder *source* as a build wants it."""
    vertices, groups = _base_mesh(source / "3dobjs" / "base.obj")
    for name, amount in build.targets.items():
        index, shift = _target(source / "targets" / f"{name}.target.gz")
        vertices[index] += amount * shift
    rig: dict[str, _Bone] = json.loads((source / "rigs/standard/rig.game_engine.json").read_text())
    heads = np.array([_end(rig[bone]["head"], vertices, groups) for bone in BONES])
    tails = np.array([_end(rig[bone]["tail"], vertices, groups) for bone in BONES])
    thumbs = {side: _end(rig[f"thumb_01_{side}"]["head"], vertices, groups) for side in "lr"}
    skin = vertices[np.unique(groups["body"])]
    scale = (build.height_metres - SOLE_METRES) / float(np.ptp(skin[:, 1]))
    floor = np.array([0.0, skin[:, 1].min() - SOLE_METRES / scale, 0.0])
    parents = tuple(BONES.index(rig[bone]["parent"]) if rig[bone]["parent"] in BONES else -1 for bone in BONES)
    return Figurine(
        (vertices - floor) * scale,
        groups,
        _weights(source / "rigs/standard/weights.game_engine.json", len(vertices)),
        BONES,
        parents,
        (heads - floor) * scale,
        (tails - floor) * scale,
        {side: (thumb - floor) * scale for side, thumb in thumbs.items()},
        (vertices[_ears(source)] - floor) * scale,
    )


def _base_mesh(path: Path) -> tuple[Points, dict[str, Triangles]]:
    vertices: list[list[float]] = []
    groups: dict[str, list[list[int]]] = {}
    faces: list[list[int]] = []
    for line in path.read_text().splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            vertices.append([float(value) * METRES for value in rest[:3]])
        elif kind == "g":
            faces = groups.setdefault(rest[0], [])
        elif kind == "f":
            corners = [int(corner.split("/")[0]) - 1 for corner in rest]
            faces += [[corners[0], corners[k], corners[k + 1]] for k in range(1, len(corners) - 1)]
    return np.array(vertices), {name: np.array(found, np.int64) for name, found in groups.items()}


def _target(path: Path) -> tuple[NDArray[np.int64], Points]:
    with gzip.open(path, "rt") as file:
        rows = [line.split("#")[0].split() for line in file]
    rows = [row for row in rows if len(row) >= 4]
    shift = np.array([[float(value) * METRES for value in row[1:4]] for row in rows]).reshape(-1, 3)
    return np.array([int(row[0]) for row in rows], np.int64), shift


def _ears(source: Path) -> NDArray[np.int64]:
    """Return the vertices that a morph of the ears moves wholly; those it moves in part lie on the skull."""
    found = []
    for side in "lr":
        index, shift = _target(source / "targets" / "ears" / f"{side}-ear-trans-forward.target.gz")
        moved = np.linalg.norm(shift, axis=1)
        found.append(index[moved > 0.95 * moved.max()])
    return np.concatenate(found)


def _end(end: _End, vertices: Points, groups: Mapping[str, Triangles]) -> Points:
    if end["strategy"] == "CUBE":
        found = vertices[np.unique(groups[end["cube_name"]])].mean(0)
    elif end["strategy"] == "MEAN":
        found = vertices[end["vertex_indices"]].mean(0)
    else:
        found = vertices[end["vertex_index"]]
    return np.asarray(found, np.float64)


def _weights(path: Path, count: int) -> NDArray[np.float64]:
    """Return how much each bone carries each vertex, a finger's share given to its hand."""
    stored: dict[str, list[tuple[int, float]]] = json.loads(path.read_text())["weights"]
    weights = np.zeros((count, len(BONES)))
    for bone, shares in stored.items():
        kept = f"hand_{bone[-1]}" if bone.split("_")[0] in FINGERS else bone
        if kept not in BONES:
            continue
        for vertex, share in shares:
            if vertex < count:
                weights[vertex, BONES.index(kept)] += share
    return np.asarray(weights / np.maximum(weights.sum(1, keepdims=True), 1e-9), np.float64)

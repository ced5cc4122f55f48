"""Cuts the bare figurine into skin, hair, lips, brows, eyes and trunks. Used by the bake only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from undercard.previz.gear import Solid
from undercard.previz.makehuman import Build, Figurine
from undercard.previz.sculpt import Distances, Points, Triangles

PARTS = (
    *("skin", "lips", "brows", "beard", "hair", "eye", "iris", "pupil"),
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


def dressed(figurine: Figurine, build: Build) -> Cloth:
    """Return the body with its face, hair, eyes and trunks, less what gloves, boots and trunks hide."""
    body = Cloth(
        figurine.vertices, figurine.weights, figurine.groups["body"], np.zeros(len(figurine.groups["body"]), np.int64)
    )
    cloth = _face(_bared(body, figurine), figurine, build)
    cloth = cloth.joined(_eyes(figurine))
    return cloth.joined(_trunks(figurine))


def _waist(figurine: Figurine) -> float:
    return float(figurine.head("spine_02")[1] + 0.012)


def _hem(figurine: Figurine) -> float:
    knee, hip = figurine.head("calf", "l")[1], figurine.head("thigh", "l")[1]
    return float(knee + 0.17 * (hip - knee))


def _share(cloth: Cloth, figurine: Figurine, *names: str) -> NDArray[np.float64]:
    columns = [k for k, bone in enumerate(figurine.bones) if bone.rsplit("_", 1)[0] in names or bone in names]
    return np.asarray(cloth.weights[:, columns].sum(1), np.float64)


def _bared(body: Cloth, figurine: Figurine) -> Cloth:
    """Drop the hands, the feet, the inside of the mouth and what the trunks hide."""
    hands = _share(body, figurine, "hand") > 0.9
    feet = body.vertices[:, 1] < figurine.head("foot", "l")[1] + 0.11
    y = body.vertices[:, 1]
    arms = _share(body, figurine, "upperarm", "lowerarm", "hand", "clavicle")
    covered = (y > _hem(figurine) + 0.11) & (y < _waist(figurine) - 0.06) & (arms < 0.1)
    eye = figurine.eye("l")
    x, up, z = (body.vertices - [0.0, eye[1], eye[2]]).T
    mouth = (np.abs(x) < 0.032) & (np.abs(up + 0.07) < 0.045) & (np.abs(z + 0.04) < 0.052)
    return body.without((hands | feet | covered | mouth)[body.faces].all(1))


def _face(cloth: Cloth, figurine: Figurine, build: Build) -> Cloth:
    eye = figurine.eye("l")
    for border in (_brows, _lips):
        # A part thinner than the triangles needs smaller ones.
        near = np.abs(border(cloth, figurine)) < 0.004
        cloth = cloth.finer(np.any(near[cloth.faces], axis=1))
    cloth = cloth.cut(_hairline(cloth, figurine), "hair", ["skin"])
    cloth = _grown(cloth, figurine, build.crop_metres)
    if build.beard:
        cloth = cloth.cut(_beard(cloth, eye), "beard", ["skin"])
    cloth = cloth.cut(_lips(cloth, figurine), "lips", ["skin", "beard"])
    return cloth.cut(_brows(cloth, figurine), "brows", ["skin"])


def _hairline(cloth: Cloth, figurine: Figurine) -> Distances:
    eye = figurine.eye("l")
    x, y, z = (cloth.vertices - [0.0, eye[1], eye[2]]).T
    # High over the brow, straight down before the ear, low at the nape.
    ahead = np.clip((z + 0.035) / 0.05, 0.0, 1.0)
    behind = np.clip((-0.075 - z) / 0.045, 0.0, 1.0)
    line = 0.018 + 0.047 * ahead * ahead - 0.060 * behind - 0.02 * np.clip((np.abs(x) - 0.055) / 0.02, 0, 1) * ahead
    return np.asarray(np.where(_share(cloth, figurine, "head", "neck_01") > 0.5, y - line, -1.0), np.float64)


def _grown(cloth: Cloth, figurine: Figurine, length: float) -> Cloth:
    hair = np.unique(cloth.faces[cloth.parts == PARTS.index("hair")])
    border = np.intersect1d(hair, cloth.faces[cloth.parts != PARTS.index("hair")])
    grow = np.zeros(len(cloth.vertices))
    grow[hair] = length
    grow[border] = 0.25 * length
    centre = figurine.eye("l") * [0.0, 1.0, 0.0] + [0.0, 0.02, figurine.head("head")[2] + 0.01]
    away = cloth.vertices - centre
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    return replace(cloth, vertices=cloth.vertices + away * grow[:, None])


def _lips(cloth: Cloth, figurine: Figurine) -> Distances:
    nose, *_, chin = figurine.face_points()
    x, y, z = cloth.vertices.T
    # The line of the mouth lies about 45% of the way from the nose's tip to the chin (measured on both builds).
    line = nose[1] + (chin[1] - nose[1]) * 0.435
    half = 0.026
    fall = np.clip(1.0 - (x / half) ** 2, 0.0, None)
    upper = 0.0105 * np.sqrt(fall) - 0.002 * np.exp(-((x / 0.004) ** 2))
    lower = 0.0115 * np.sqrt(fall)
    band = np.minimum(line + upper - y, y - (line - lower))
    return np.asarray(np.minimum(band, np.minimum(half - np.abs(x), z - nose[2] + 0.045)), np.float64)


def _brows(cloth: Cloth, figurine: Figurine) -> Distances:
    eye = figurine.eye("l")
    x, y, z = (cloth.vertices - eye * [0.0, 1.0, 1.0]).T
    t = (np.abs(x) - 0.012) / 0.042
    arch = 0.0195 + 0.0075 * np.sin(np.pi * np.clip(t, 0, 1) ** 0.8) - 0.004 * np.clip(t, 0, 1)
    thick = 0.0044 * (1.0 - 0.55 * np.clip(t, 0.0, 1.0))
    band = thick - np.abs(y - arch)
    return np.asarray(np.minimum.reduce([band, t * 0.04, (1.0 - t) * 0.04, z + 0.01]), np.float64)


def _beard(cloth: Cloth, eye: Points) -> Distances:
    """Return the border of a short boxed beard: jaw, chin and upper lip."""
    x, y, z = (cloth.vertices - [0.0, eye[1], eye[2]]).T
    jaw = -0.080 + 0.30 * np.clip(np.abs(x) - 0.028, 0.0, None) ** 1.0 + 0.9 * np.clip(-z - 0.02, 0, 0.06)
    under = y + 0.135
    goatee = np.minimum.reduce([jaw - y, under, z + 0.075])
    lip = np.minimum.reduce([0.0065 - np.abs(y + 0.0575 + 4.0 * x * x), 0.034 - np.abs(x), z - 0.015])
    return np.asarray(np.maximum(goatee, lip), np.float64)


def _eyes(figurine: Figurine) -> Cloth:
    faces = np.concatenate([figurine.groups["helper-l-eye"], figurine.groups["helper-r-eye"]])
    weights = np.zeros_like(figurine.weights)
    weights[:, figurine.bones.index("head")] = 1.0
    cloth = Cloth(figurine.vertices, weights, faces, np.full(len(faces), PARTS.index("eye"), np.int64))
    cloth = cloth.without_unused()
    cloth = cloth.finer(np.ones(len(cloth.faces), np.bool_))
    eye = figurine.eye("l")

    def off_axis() -> Distances:
        x, y, z = (cloth.vertices - [0.0, eye[1], eye[2]]).T
        return np.asarray(np.where(z > 0.0, np.hypot(np.abs(x) - eye[0], y), 1.0), np.float64)

    cloth = cloth.cut(0.0068 - off_axis(), "iris", ["eye"])
    return cloth.cut(0.0030 - off_axis(), "pupil", ["iris"])


def _trunks(figurine: Figurine) -> Cloth:
    """Cut loose trunks out of the tights that MakeHuman ships to hang clothes on."""
    faces = figurine.groups["helper-tights"]
    cloth = Cloth(figurine.vertices, figurine.weights, faces, np.full(len(faces), PARTS.index("trunks"), np.int64))
    arms = _share(cloth, figurine, "upperarm", "lowerarm", "hand", "clavicle")
    cloth = cloth.without(np.any(arms[faces] > 0.05, axis=1)).without_unused()
    # Parts serve as a knife here: what is cut off goes to a part of its own and is dropped.
    waist, hem = _waist(figurine), _hem(figurine)
    cloth = cloth.cut(hem - cloth.vertices[:, 1], "sole", ["trunks"])
    cloth = cloth.cut(cloth.vertices[:, 1] - waist, "sole", ["trunks"])
    cloth = cloth.without(np.equal(cloth.parts, PARTS.index("sole")))
    cloth = _loosened(cloth.without_unused(), figurine)
    cloth = cloth.cut(cloth.vertices[:, 1] - (waist - 0.058), "trim", ["trunks"])
    cloth = cloth.cut(hem + 0.016 - cloth.vertices[:, 1], "trim", ["trunks"])
    return cloth.cut(_stripe(cloth.vertices, figurine), "trim", ["trunks"])


def _stripe(p: Points, figurine: Figurine) -> Distances:
    """Return the border of a straight stripe down each side."""
    hip, knee = figurine.head("thigh", "l"), figurine.head("calf", "l")
    t = np.clip((hip[1] - p[:, 1]) / (hip[1] - knee[1]), -0.5, 1.0)
    middle = hip[2] + (knee[2] - hip[2]) * t
    outside = np.abs(p[:, 0]) - (hip[0] + (knee[0] - hip[0]) * t) - 0.02
    return np.asarray(np.minimum(0.026 - np.abs(p[:, 2] - middle), outside), np.float64)


def _loosened(cloth: Cloth, figurine: Figurine) -> Cloth:
    """Smooth the tights into cloth, lift them off the skin and let the legs flare to the hem."""
    vertices = _smoothed(cloth.vertices, cloth.faces, 8)
    normals = np.zeros_like(vertices)
    a, b, c = (vertices[cloth.faces[:, k]] for k in range(3))
    for k in range(3):
        np.add.at(normals, cloth.faces[:, k], np.cross(b - a, c - a))
    normals[:, 1] *= 0.3
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    fall = np.clip((figurine.head("thigh", "l")[1] + 0.05 - vertices[:, 1]), 0.0, None)
    fall /= figurine.head("thigh", "l")[1] + 0.05 - _hem(figurine)
    # The legs would rub through each other where they face inwards.
    inward = np.clip(-normals[:, 0] * np.sign(vertices[:, 0]), 0.0, 1.0)
    lift = 0.012 + 0.036 * fall * (1.0 - 0.65 * inward)
    return replace(cloth, vertices=vertices + normals * lift[:, None])


def _smoothed(vertices: Points, faces: Triangles, times: int) -> Points:
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    # A border edge belongs to one triangle; its ends stay, so that the hem keeps its height.
    _, index, count = np.unique(np.sort(edges, 1), axis=0, return_inverse=True, return_counts=True)
    border = np.unique(edges[count[index.ravel()] == 1])
    degree = np.bincount(pairs[:, 0], minlength=len(vertices)).astype(np.float64)
    moved = vertices.copy()
    for _ in range(times):
        mean = np.stack([np.bincount(pairs[:, 0], moved[pairs[:, 1], k], len(vertices)) for k in range(3)], 1)
        settled = 0.5 * moved + 0.5 * mean / np.maximum(degree, 1.0)[:, None]
        settled[border] = moved[border]
        moved = settled
    return moved

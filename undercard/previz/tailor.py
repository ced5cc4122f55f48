"""Cuts the bare figurine into skin, hair, lips, brows, eyes and trunks. Used by the bake only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from undercard.previz.cloth import PARTS, Cloth
from undercard.previz.makehuman import MOUTH_VERTEX, Build, Figurine
from undercard.previz.sculpt import Distances, Points, Triangles

# The hair keeps this far from the ears' vertices.
EAR_METRES = 0.0055


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
    covered = (y > _hem(figurine) + 0.11) & (y < _waist(figurine) - 0.035) & (arms < 0.1)
    eye = figurine.eye("l")
    x, up, z = (body.vertices - [0.0, eye[1], eye[2]]).T
    mouth = (np.abs(x) < 0.032) & (np.abs(up + 0.068) < 0.031) & (np.abs(z + 0.046) < 0.044)
    return body.without((hands | feet | covered | mouth)[body.faces].all(1))


def _face(cloth: Cloth, figurine: Figurine, build: Build) -> Cloth:
    for border, reach in ((_brows, 0.004), (_lips, 0.004), (_hairline, 0.010)):
        # A part thinner than the triangles, or one with a curved border, needs smaller ones.
        near = np.abs(border(cloth, figurine, build)) < reach
        cloth = cloth.finer(np.any(near[cloth.faces], axis=1))
    cloth = cloth.cut(_hairline(cloth, figurine, build), "fade", ["skin"])
    cloth = cloth.cut(_hairline(cloth, figurine, build) - _fade(cloth, figurine), "hair", ["fade"])
    cloth = _grown(cloth, figurine, build)
    if build.beard:
        cloth = cloth.cut(_beard(cloth, figurine), "beard", ["skin"])
    cloth = cloth.cut(_lips(cloth, figurine, build), "lips", ["skin", "beard"])
    return cloth.cut(_brows(cloth, figurine, build), "brows", ["skin"])


def _head(cloth: Cloth, figurine: Figurine) -> tuple[Distances, Distances, Distances]:
    """Return how far each vertex is from the middle (unsigned), above the eyes and before them, metres."""
    eye = figurine.eye("l")
    x, y, z = (cloth.vertices - [0.0, eye[1], eye[2]]).T
    return np.abs(x), y, z


def _hairline(cloth: Cloth, figurine: Figurine, _: Build) -> Distances:
    x, y, z = _head(cloth, figurine)
    # High over the brow, straight down before the ear, low at the nape.
    ahead = np.clip((z + 0.035) / 0.05, 0.0, 1.0)
    behind = np.clip((-0.075 - z) / 0.045, 0.0, 1.0)
    temple = 0.02 * np.clip((x - 0.055) / 0.02, 0.0, 1.0) * ahead
    line = 0.016 + 0.049 * ahead * ahead - 0.060 * behind - temple
    apart = np.linalg.norm(cloth.vertices[:, None, :] - figurine.ears[None, :, :], axis=2).min(1)
    level = np.minimum(y - line, apart - EAR_METRES)
    return np.asarray(np.where(_share(cloth, figurine, "head", "neck_01") > 0.5, level, -1.0), np.float64)


def _fade(cloth: Cloth, figurine: Figurine) -> Distances:
    """Return how far above the hairline the hair stays clipped: sides and nape, not the forehead; metres."""
    _, _, z = _head(cloth, figurine)
    return np.asarray(0.002 + 0.026 * np.clip(-(z + 0.035) / 0.03, 0.0, 1.0), np.float64)


def _grown(cloth: Cloth, figurine: Figurine, build: Build) -> Cloth:
    """Let the hair stand off the head, less and less towards its border."""
    cloth = cloth.finer(cloth.parts == PARTS.index("hair"))
    rise = np.clip(_hairline(cloth, figurine, build) / 0.03, 0.0, 1.0)
    # Uneven like cropped hair: a smooth cap would shine like a helmet. The bake is the same every time.
    rise *= np.random.default_rng(1).uniform(0.6, 1.25, len(rise))
    centre = figurine.eye("l") * [0.0, 1.0, 0.0] + [0.0, 0.02, figurine.head("head")[2] + 0.01]
    away = cloth.vertices - centre
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    return replace(cloth, vertices=cloth.vertices + away * (build.crop_metres * rise)[:, None])


def _lips(cloth: Cloth, figurine: Figurine, build: Build) -> Distances:
    x, y, z = _head(cloth, figurine)
    line = figurine.vertices[MOUTH_VERTEX][1] - figurine.eye("l")[1]
    half = 0.0265
    fall = np.sqrt(np.clip(1.0 - (x / half) ** 2, 0.0, None))
    upper, lower = build.lips_metres
    # The dip in the middle of the upper lip.
    above = line + upper * fall - 0.0022 * np.exp(-((x / 0.004) ** 2)) - y
    return np.asarray(np.minimum.reduce([above, y - line + lower * fall, half - x, z]), np.float64)


def _brows(cloth: Cloth, figurine: Figurine, _: Build) -> Distances:
    x, y, z = _head(cloth, figurine)
    t = np.clip((x - 0.012) / 0.042, 0.0, 1.0)
    arch = 0.0150 + 0.0075 * np.sin(0.8 * np.pi * t**0.8)
    thick = 0.0046 * (1.0 - 0.60 * t)
    ends = np.minimum(x - 0.012, 0.054 - x)
    return np.asarray(np.minimum.reduce([thick - np.abs(y - arch), ends, z + 0.01]), np.float64)


def _beard(cloth: Cloth, figurine: Figurine) -> Distances:
    """Return the border of a short boxed beard: jaw, chin and upper lip."""
    x, y, z = _head(cloth, figurine)
    jaw = -0.080 + 0.30 * np.clip(x - 0.028, 0.0, None) + 0.9 * np.clip(-z - 0.02, 0.0, 0.06)
    under = y + 0.118 - 0.35 * np.clip(-z - 0.01, 0.0, 0.1)
    goatee = np.minimum.reduce([jaw - y, under, z + 0.070])
    lip = np.minimum.reduce([0.0062 - np.abs(y + 0.0570 + 5.0 * x * x), 0.033 - x, z - 0.015])
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
    near = np.abs(_stripe(cloth.vertices, figurine)) < 0.012
    cloth = cloth.finer(np.any(near[cloth.faces], axis=1))
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
    # The waistband is elastic and sits close.
    band = np.clip((vertices[:, 1] - _waist(figurine) + 0.09) / 0.05, 0.0, 1.0)
    lift = 0.015 - 0.004 * band + 0.034 * fall * (1.0 - 0.65 * inward)
    return _hugging(replace(cloth, vertices=vertices + normals * lift[:, None]), figurine)


def _hugging(cloth: Cloth, figurine: Figurine) -> Cloth:
    """Let the waistband move as the skin under it does, or the skin would come through when the back bends."""
    body = np.unique(figurine.groups["body"])
    body = body[np.abs(figurine.vertices[body, 1] - _waist(figurine) + 0.1) < 0.2]
    apart = np.linalg.norm(cloth.vertices[:, None, :] - figurine.vertices[None, body, :], axis=2)
    nearest = np.argsort(apart, axis=1)[:, :4]
    below = figurine.weights[body][nearest].mean(1)
    share = np.clip((cloth.vertices[:, 1] - _waist(figurine) + 0.20) / 0.10, 0.0, 1.0)[:, None]
    return replace(cloth, weights=cloth.weights * (1.0 - share) + below * share)


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

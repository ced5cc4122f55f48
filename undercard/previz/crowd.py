"""The arena around the ring: raked stands full of people, tables at ringside, the truss; seen softly, in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from undercard.previz.mesh import Floats, Material, Mesh
from undercard.previz.scene import Scene
from undercard.previz.shapes import grid_faces, join, mesh, quad, rounded_box, smooth_normals, tube, yaw

FLOOR = -1.1
"""Height of the hall's floor, metres: the canvas stands on a platform."""
SEAT_PITCH = 0.62
"""Metres from seat to seat."""

# The stands are squares about the ring: (half side, height of the floor).
_ROWS = (
    *((5.0 + 0.9 * row, FLOOR) for row in range(3)),
    *((8.2 + 0.95 * row, FLOOR + 0.5 + 0.43 * row) for row in range(10)),
)
_BALCONY = tuple((19.6 + 1.0 * row, 5.0 + 0.6 * row) for row in range(6))

_CLOTHES = (
    (0.035, 0.037, 0.045), (0.06, 0.06, 0.07), (0.10, 0.10, 0.115), (0.20, 0.20, 0.21), (0.42, 0.42, 0.40),
    (0.15, 0.03, 0.03), (0.04, 0.06, 0.15), (0.05, 0.09, 0.06), (0.16, 0.12, 0.07), (0.09, 0.05, 0.10),
)  # fmt: skip
_SKINS = ((0.52, 0.34, 0.25), (0.42, 0.25, 0.17), (0.26, 0.14, 0.085), (0.13, 0.065, 0.04))
_HAIRS = ((0.02, 0.015, 0.012), (0.06, 0.035, 0.02), (0.16, 0.10, 0.05), (0.28, 0.27, 0.26))


def _glow(colour: tuple[float, float, float]) -> Material:
    """Return a material that shines by itself: in the arena a material's specular is what it emits of its colour."""
    return Material(colour, 1.0, 1.0)


def _matt(colour: tuple[float, float, float]) -> Material:
    return Material(colour, 0.0, 1.0)


@lru_cache(maxsize=1)
def arena() -> Scene:
    """Return the arena, ready for rays; built once. The same people sit in it in every film."""
    rng = np.random.default_rng(7)
    return Scene([(join([*_stands(), *_truss(), *_tables(), _people(rng)]), 0)])


@lru_cache(maxsize=1)
def heads() -> Floats:
    """Return a place at each spectator's raised hand, shape (n, 3): where a camera may flash."""
    hands: Floats = (_seats(np.random.default_rng(7))[:, :3] + np.array([0.0, 1.45, 0.0])).astype(np.float32)
    return hands


def _stands() -> Iterator[Mesh]:
    concrete = _matt((0.045, 0.045, 0.052))
    floor = _matt((0.035, 0.036, 0.042))
    wall = _matt((0.020, 0.021, 0.027))
    far = 60.0
    yield quad((-far, FLOOR, far), (far, FLOOR, far), (far, FLOOR, -far), (-far, FLOOR, -far), floor)
    for rows in (_ROWS[3:], _BALCONY):
        for half, height in rows:
            yield from _square(half - 0.45, height - 0.43, half - 0.45, height, concrete)
            yield from _square(half - 0.45, height, half + 0.55, height, concrete)
    # The balcony's front carries a band of lit boards.
    yield from _square(18.9, 3.4, 18.9, 5.3, wall)
    yield from _square(26.0, 8.0, 26.0, 16.0, wall)
    board = np.random.default_rng(3)
    for turn in range(4):
        for piece in np.arange(-18.0, 18.0, 1.5):
            shade = float(board.uniform(0.35, 1.0))
            tint = (0.02 * shade, 0.07 * shade, 0.28 * shade)
            if board.random() < 0.18:
                tint = (0.30 * shade, 0.04 * shade, 0.03 * shade)
            corners = [(piece, 4.35), (piece + 1.44, 4.35), (piece + 1.44, 4.85), (piece, 4.85)]
            spin = yaw(90.0 * turn)
            # Wound to face the ring.
            a, b, c, d = (spin @ (x, y, -18.85) for x, y in corners)
            yield quad(a, b, c, d, _glow(tint))


def _square(inner: float, low: float, outer: float, high: float, material: Material) -> Iterator[Mesh]:
    """Yield four sides of a sloped square ring that faces the middle."""
    for turn in range(4):
        spin = yaw(90.0 * turn)
        corners = [(-inner, low, -inner), (inner, low, -inner), (outer, high, -outer), (-outer, high, -outer)]
        a, b, c, d = (spin @ corner for corner in corners)
        yield quad(a, b, c, d, material)


def _truss() -> Iterator[Mesh]:
    steel = _matt((0.10, 0.10, 0.11))
    for turn in range(4):
        spin = yaw(90.0 * turn)
        for dy, dz in ((0.0, 0.0), (0.0, 0.42), (0.42, 0.0), (0.42, 0.42)):
            ends = np.array([(-3.4, 6.15 + dy, 3.0 + dz), (3.4, 6.15 + dy, 3.0 + dz)])
            yield tube((ends @ spin.T).astype(np.float32), 0.03, steel, sides=6)
        for start in np.arange(-3.4, 3.2, 0.5):
            zigzag = [(start, 6.15, 3.0), (start + 0.25, 6.57, 3.0), (start + 0.5, 6.15, 3.0)]
            yield tube((np.array(zigzag) @ spin.T).astype(np.float32), 0.014, steel, sides=4)
        for place in (-2.6, -1.3, 0.0, 1.3, 2.6):
            lamp = spin @ (place, 6.0, 3.1)
            yield rounded_box(lamp, (0.13, 0.14, 0.13), _matt((0.04, 0.04, 0.045)), power=4, detail=10)
            yield rounded_box(lamp - (0, 0.12, 0), (0.10, 0.03, 0.10), _glow((7.0, 6.6, 6.0)), power=2, detail=10)


def _tables() -> Iterator[Mesh]:
    cloth, screen = _matt((0.03, 0.03, 0.05)), _glow((0.35, 0.5, 0.75))
    for turn in range(4):
        spin = yaw(90.0 * turn)
        yield rounded_box(spin @ (0.0, -0.72, 4.15), (1.7, 0.04, 0.3), cloth, turn_degrees=90.0 * turn)
        for place in (-1.1, 0.1, 1.0):
            yield rounded_box(
                spin @ (place, -0.57, 4.1), (0.15, 0.10, 0.01), screen, turn_degrees=90.0 * turn, power=10
            )


def _seats(rng: np.random.Generator) -> Floats:
    """Return every spectator's x, floor, z and yaw toward the ring, shape (n, 4)."""
    seats = []
    tables = (4.6, FLOOR)
    for half, height in (tables, *_ROWS, *_BALCONY):
        # High up, in the dark, a thinner crowd looks as full.
        pitch = SEAT_PITCH if half < _BALCONY[0][0] else 1.6 * SEAT_PITCH
        count = int(2 * half / pitch)
        for turn in range(4):
            along = (np.arange(count) + 0.5) * pitch - half
            taken = rng.random(count) < 0.93
            if half == tables[0]:
                taken = (np.abs(along) < 1.6) & (rng.random(count) < 0.7)
            elif half > 8.0:
                # Stairs cut the stands into blocks.
                taken &= np.abs((along + 4.0) % 8.0 - 4.0) > 0.55
            place = np.stack([along, np.full(count, height), np.full(count, -half)], axis=1)[taken]
            place[:, [0, 2]] += rng.normal(0, 0.06, (len(place), 2))
            spun = place @ yaw(90.0 * turn).T
            seats.append(np.column_stack([spun, 90.0 * turn + rng.normal(0, 14, len(spun))]))
    return np.concatenate(seats).astype(np.float32)


def _people(rng: np.random.Generator) -> Mesh:
    seats = _seats(rng)
    bodies = (_body(), _body(arms=1), _body(arms=2))
    kind = rng.choice(len(bodies), len(seats), p=(0.89, 0.035, 0.075))
    materials = [_matt(colour) for colour in (*_CLOTHES, *_SKINS, *_HAIRS)] + [_glow((0.40, 0.52, 0.75))]
    meshes = []
    for index, body in enumerate(bodies):
        chosen = seats[kind == index]
        count, vertices = len(chosen), len(body.vertices)
        size = (
            rng.uniform(0.92, 1.08, (count, 1, 1))
            * np.stack([rng.uniform(0.9, 1.15, count), np.ones(count), np.ones(count)], axis=1)[:, None]
        )
        spin = np.stack([yaw(float(turn)) for turn in chosen[:, 3]])
        placed = np.einsum("nij,nvj->nvi", spin, body.vertices[None] * size) + chosen[:, None, :3]
        normals = np.einsum("nij,vj->nvi", spin, body.normals)
        # Standing up, a few of them.
        placed[:, :, 1] += np.where(rng.random(count) < 0.10, 0.30, 0.0)[:, None]
        faces = body.faces[None] + (np.arange(count) * vertices)[:, None, None]
        skin = rng.integers(0, len(_SKINS), count) + len(_CLOTHES)
        hair = np.where(rng.random(count) < 0.15, skin, rng.integers(0, len(_HAIRS), count) + 14)
        own = np.stack([rng.integers(0, len(_CLOTHES), count), skin, hair, np.full(count, 18)], axis=1)
        meshes.append(
            Mesh(
                placed.reshape(-1, 3).astype(np.float32),
                normals.reshape(-1, 3).astype(np.float32),
                faces.reshape(-1, 3).astype(np.int32),
                own[:, body.face_materials].reshape(-1).astype(np.int32),
                tuple(materials),
            )
        )
    return join(meshes)


def _body(arms: int = 0) -> Mesh:
    """Return a seated spectator who looks along +z: clothes 0, skin 1, hair 2, a telephone's screen 3.

    *arms* 1 raises a telephone, 2 both fists.
    """
    clothes, skin, hair, screen = _matt((0.0,) * 3), _matt((0.1,) * 3), _matt((0.2,) * 3), _glow((0.3,) * 3)
    # Height, half width, half depth, offset forward: lap, waist, chest, shoulders, base of the neck.
    trunk = ((0.45, 0.20, 0.24, 0.1), (0.66, 0.17, 0.13, 0.0), (0.88, 0.21, 0.14, 0.0), (1.0, 0.225, 0.11, 0.0),
             (1.06, 0.13, 0.08, 0.0), (1.08, 0.055, 0.055, 0.01))  # fmt: skip
    parts = [_loft(trunk, clothes)]
    neck = ((1.05, 0.05, 0.05, 0.01), (1.14, 0.048, 0.05, 0.02))
    face = (
        (1.11, 0.03, 0.03, 0.05),
        (1.15, 0.062, 0.075, 0.03),
        (1.22, 0.074, 0.092, 0.025),
        (1.29, 0.07, 0.088, 0.02),
    )
    crown = (
        (1.24, 0.079, 0.092, 0.012),
        (1.30, 0.076, 0.092, 0.012),
        (1.345, 0.05, 0.062, 0.012),
        (1.36, 0.005, 0.01, 0.012),
    )
    parts += [_loft(neck, skin), _loft(face, skin), _loft(crown, hair)]
    for side in (-1.0, 1.0) if arms == 2 else (1.0,) * arms:
        elbow, hand = (side * 0.30, 1.13, 0.14), (side * 0.22, 1.42, 0.2)
        sleeve = np.array([(side * 0.20, 0.98, 0.0), elbow], np.float32)
        parts += [tube(sleeve, 0.05, clothes, sides=5)]
        parts += [tube(np.array([elbow, hand], np.float32), 0.038, skin, sides=5)]
        x, y, z = hand
        fist = (
            (y - 0.05, 0.02, 0.02, z),
            (y - 0.02, 0.045, 0.045, z),
            (y + 0.03, 0.045, 0.045, z),
            (y + 0.06, 0.01, 0.01, z),
        )
        parts += [_loft(fist, skin, sides=5, across=x)] if arms == 2 else []
    if arms == 1:
        x, y, z = 0.22, 1.44, 0.21
        # The screen faces its owner, its light the people behind.
        back = quad((x - 0.04, y, z), (x + 0.04, y, z), (x + 0.04, y + 0.14, z), (x - 0.04, y + 0.14, z), screen)
        parts.append(back)
    order = (clothes, skin, hair, screen)
    whole = join(parts)
    index = np.array([order.index(material) for material in whole.materials], np.int32)
    return Mesh(whole.vertices, whole.normals, whole.faces, index[whole.face_materials], order)


def _loft(
    rings: tuple[tuple[float, float, float, float], ...], material: Material, sides: int = 6, across: float = 0.0
) -> Mesh:
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    vertices = np.array(
        [[(across + w * np.cos(a), y, z + d * np.sin(a)) for a in turn] for y, w, d, z in rings], np.float32
    ).reshape(-1, 3)
    faces = grid_faces(len(rings), sides, closed=True)
    return mesh(vertices, faces, material, smooth_normals(vertices, faces))

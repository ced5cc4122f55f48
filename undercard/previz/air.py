"""Light in the air and behind the stage: haze, beams, the arena's surfaces, camera flashes in the crowd."""

from __future__ import annotations

import numpy as np

from undercard.previz.kernel import kernel
from undercard.previz.mesh import Floats, Ints
from undercard.previz.rays import normal_at

_FLASH = np.array([0.92, 0.97, 1.0], np.float32)
"""Colour of a camera's flash."""


@kernel
def light_air(eye: Floats, directions: Floats, distances: Floats, beams: Floats, haze: Floats, out: Floats) -> None:
    """Fill *out* (n, 3) with the light that haze sends to the eye along each ray, up to *distances* (n,).

    A beam counts where the ray passes its axis the nearest: a Gaussian across, thinner with the way it has gone, and
    as long in the ray as the crossing is slanted. That needs no marching, hence leaves no grain.

    Arrays:
        beams: See lights.BEAM_COLUMNS.
        haze: Shape (3,), added by distance.
    """
    from_source = np.empty((len(beams), 5), np.float64)
    for b in range(len(beams)):
        wx, wy, wz = eye[0] - beams[b, 0], eye[1] - beams[b, 1], eye[2] - beams[b, 2]
        from_source[b, 0], from_source[b, 1], from_source[b, 2] = wx, wy, wz
        from_source[b, 3] = beams[b, 3] * wx + beams[b, 4] * wy + beams[b, 5] * wz
        from_source[b, 4] = wx * wx + wy * wy + wz * wz
    for i in range(len(directions)):
        dx, dy, dz = directions[i, 0], directions[i, 1], directions[i, 2]
        depth = distances[i]
        fog = 1.0 - np.exp(np.float32(-0.05 * max(depth - 3.0, 0.0)))
        red, green, blue = haze[0] * fog, haze[1] * fog, haze[2] * fog
        for b in range(len(beams)):
            cosine = dx * beams[b, 3] + dy * beams[b, 4] + dz * beams[b, 5]
            slant = max(1.0 - cosine * cosine, 0.02)
            along_ray = dx * from_source[b, 0] + dy * from_source[b, 1] + dz * from_source[b, 2]
            along_beam = from_source[b, 3]
            t = max((cosine * along_beam - along_ray) / slant, 0.0)
            s = min(max((along_beam - cosine * along_ray) / slant, 0.0), beams[b, 9])
            radius = beams[b, 11] + beams[b, 10] * s
            # |w + t d - s a|², where w leads from the lamp to the eye, multiplied out.
            square = from_source[b, 4] + t * (t + 2.0 * along_ray) + s * (s - 2.0 * along_beam - 2.0 * t * cosine)
            apart = max(square, 0.0) / (radius * radius)
            if apart > 9.0:
                continue
            strength = np.exp(np.float32(-apart)) / np.sqrt(slant) / (1.0 + 0.25 * s)
            # A surface inside the beam cuts off what lies behind it.
            strength *= min(max((depth - t) / (2.0 * radius) + 0.5, 0.0), 1.0)
            # The shaft loses itself before its end.
            strength *= min((beams[b, 9] - s) / (0.35 * beams[b, 9]) + 0.15, 1.0)
            red += strength * beams[b, 6]
            green += strength * beams[b, 7]
            blue += strength * beams[b, 8]
        out[i, 0], out[i, 1], out[i, 2] = red, green, blue


@kernel
def light_arena(
    eye: Floats,
    directions: Floats,
    triangles: Ints,
    distances: Floats,
    us: Floats,
    vs: Floats,
    corners: Floats,
    faces: Ints,
    face_materials: Ints,
    materials: Floats,
    key: Floats,
    level: float,
    out: Floats,
) -> None:
    """Fill *out* (n, 3) with the arena's surfaces: the ring's glow on faces, a cold edge from above and behind.

    Arrays:
        corners: And what follows it: see scene.Scene.
        key: Shape (3,), colour of the light over the ring, about 1.
        level: How much light the stands get.
    """
    for i in range(len(triangles)):
        out[i, 0] = out[i, 1] = out[i, 2] = 0.0
        triangle = triangles[i]
        if triangle < 0:
            continue
        dx, dy, dz = directions[i, 0], directions[i, 1], directions[i, 2]
        t = distances[i]
        px, py, pz = eye[0] + t * dx, eye[1] + t * dy, eye[2] + t * dz
        nx, ny, nz = normal_at(corners, faces, triangle, us[i], vs[i], dx, dy, dz)
        material = face_materials[triangle]
        if materials[material, 3] > 0.0:
            for k in range(3):
                out[i, k] = materials[material, k] * min(0.15 + level, 1.0)
            continue
        # The canvas glows like a lamp two metres up.
        lx, ly, lz = -px, 2.0 - py, -pz
        square = lx * lx + ly * ly + lz * lz
        away = np.sqrt(square)
        cosine = (nx * lx + ny * ly + nz * lz) / away
        front = max(0.75 * cosine + 0.25, 0.0) * 20.0 / (square + 14.0)
        # Work lights high behind each stand draw its people's edges.
        bx, by, bz = px / away * 0.75, 0.66, pz / away * 0.75
        edge = max(nx * bx + ny * by + nz * bz, 0.0)
        edge = edge * edge * (0.25 + 0.75 * (1.0 + nx * dx + ny * dy + nz * dz))
        thinned = np.exp(np.float32(-0.035 * t))
        for k in range(3):
            cold = 0.16 if k == 0 else (0.24 if k == 1 else 0.42)
            lit = materials[material, k] * (1.1 * front * key[k] + 0.05) + (0.05 + materials[material, k]) * edge * cold
            out[i, k] = level * lit * thinned


def add_flashes(flashes: Floats, backdrop: Floats, reach: float) -> None:
    """Add camera flashes to the backdrop: a hot core in a wide glow.

    Arrays:
        flashes: x, y in the backdrop's pixels, strength; shape (n, 3).
        backdrop: Shape (h, w, 3), changed in place.
        reach: Radius of the core, px.
    """
    height, width = backdrop.shape[:2]
    span = int(6.0 * reach) + 1
    for cx, cy, strength in flashes.tolist():
        ys = np.arange(max(0, int(cy) - span), min(height, int(cy) + span + 1))
        xs = np.arange(max(0, int(cx) - span), min(width, int(cx) + span + 1))
        if len(ys) and len(xs):
            square = ((xs[None, :] - cx) ** 2 + (ys[:, None] - cy) ** 2) / (reach * reach)
            glow = strength * (np.exp(-square) + 0.06 * np.exp(-0.12 * square))
            backdrop[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1] += glow[:, :, None] * _FLASH

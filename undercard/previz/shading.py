"""The colour of a point on the stage: its lamps, the light around it, the air before it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from undercard.previz.kernel import kernel, part
from undercard.previz.mesh import Floats, Ints
from undercard.previz.patterns import Look, Prints, look_at
from undercard.previz.rays import normal_at

NEAR_COLUMNS = 14
"""Of the half-resolution buffer: point (3), normal (3), distance (0 for none), visibility (4), haze (3)."""
Half: TypeAlias = tuple[Floats, Floats]
"""The half-resolution buffer, shape (h, w, NEAR_COLUMNS), and the arena's light, shape (h, w, 3)."""
Nearby: TypeAlias = tuple[float, float, float, float, float, float, float]
"""Visibility of key, rims and sky, then haze (3)."""
Light: TypeAlias = tuple[float, float, float, float, float, float]
"""What of a lamp's light a surface scatters (3) and mirrors (3)."""


@kernel
def shade(
    xs: Floats,
    ys: Floats,
    directions: Floats,
    hits: tuple[Ints, Floats, Floats, Floats],
    geometry: tuple[Floats, Ints, Ints, Floats],
    prints: Prints,
    half: Half,
    camera: tuple[Floats, Floats, float],
    lamps: Floats,
    around: Floats,
    colours: Floats,
    surface: Floats,
) -> None:
    """Shade one ray a row.

    Arrays:
        xs: Shape (n,), where the ray leaves the picture, px; *ys* alike.
        directions: Shape (n, 3), unit length.
        hits: Triangles (-1 for none), distances, u and v; shape (n,) each.
        geometry: Corners, faces, faces' materials, material table of a Scene.
        camera: Eye, axes, focal length in px.
        lamps: See lights.LAMP_COLUMNS.
        around: Rows: fill, sky, ground; shape (3, 3).
        colours: Out, linear light, shape (n, 3).
        surface: Out, shape (n, 6): depth (inf for none), camera-space normal, owner, material; owner -1 for none.
    """
    triangles, distances, us, vs = hits
    corners, faces, face_materials, materials = geometry
    eye, axes, focal_px = camera
    for i in range(len(xs)):
        triangle = triangles[i]
        if triangle < 0:
            colours[i, 0], colours[i, 1], colours[i, 2] = _backdrop(xs[i], ys[i], half[1])
            surface[i, 0] = np.inf
            surface[i, 1] = surface[i, 2] = surface[i, 3] = 0.0
            surface[i, 4] = surface[i, 5] = -1.0
            continue
        dx, dy, dz = directions[i, 0], directions[i, 1], directions[i, 2]
        t, u, v = distances[i], us[i], vs[i]
        px, py, pz = eye[0] + t * dx, eye[1] + t * dy, eye[2] + t * dz
        nx, ny, nz = normal_at(corners, faces, triangle, u, v, dx, dy, dz)
        material = face_materials[triangle]
        surface[i, 0] = t * (axes[2, 0] * dx + axes[2, 1] * dy + axes[2, 2] * dz)
        surface[i, 1] = nx * axes[0, 0] + ny * axes[0, 1] + nz * axes[0, 2]
        surface[i, 2] = nx * axes[1, 0] + ny * axes[1, 1] + nz * axes[1, 2]
        # Toward the camera is positive.
        surface[i, 3] = -(nx * axes[2, 0] + ny * axes[2, 1] + nz * axes[2, 2])
        surface[i, 4] = materials[material, 6]
        surface[i, 5] = material

        facing = max(-(nx * dx + ny * dy + nz * dz), 0.0)
        footprint = max(t / focal_px / max(facing, 0.18), 1e-4)
        w = 1.0 - u - v
        a, b, c = faces[triangle, 0], faces[triangle, 1], faces[triangle, 2]
        look = look_at(
            materials, material,
            corners[a, 3] * w + corners[b, 3] * u + corners[c, 3] * v,
            corners[a, 4] * w + corners[b, 4] * u + corners[c, 4] * v,
            corners[a, 5] * w + corners[b, 5] * u + corners[c, 5] * v,
            footprint, prints,
        )  # fmt: skip
        place, normal, way = (px, py, pz), (nx, ny, nz), (dx, dy, dz)
        near = _near_light(xs[i], ys[i], place, normal, t, half[0])
        colours[i, 0], colours[i, 1], colours[i, 2] = _lit(place, normal, way, facing, look, near, axes, lamps, around)


@part
def _lit(
    place: tuple[float, float, float],
    normal: tuple[float, float, float],
    way: tuple[float, float, float],
    facing: float,
    look: Look,
    near: Nearby,
    axes: Floats,
    lamps: Floats,
    around: Floats,
) -> tuple[float, float, float]:
    """Return the linear light that a point sends to the eye."""
    nx, ny, nz = normal
    specular, sky = look[3], near[3]
    direct_red = direct_green = direct_blue = shine_red = shine_green = shine_blue = 0.0
    for lamp in range(3):
        light = _lamplight(lamps, lamp, near[lamp], place, normal, way, look)
        direct_red, direct_green, direct_blue = direct_red + light[0], direct_green + light[1], direct_blue + light[2]
        shine_red, shine_green, shine_blue = shine_red + light[3], shine_green + light[4], shine_blue + light[5]
    # The fill stands a little right of and above the camera.
    fx = -way[0] + 0.35 * (axes[0, 0] + axes[1, 0])
    fy = -way[1] + 0.35 * (axes[0, 1] + axes[1, 1])
    fz = -way[2] + 0.35 * (axes[0, 2] + axes[1, 2])
    length = max(np.sqrt(fx * fx + fy * fy + fz * fz), 1e-6)
    fill = _wrapped((nx * fx + ny * fy + nz * fz) / length, 0.35) * (0.35 + 0.65 * sky)
    up = 0.5 + 0.5 * ny
    occlusion = 0.25 * sky + 0.75 * sky * sky
    above, below = up * occlusion, (1.0 - up) * occlusion
    # What the dark surroundings mirror at a grazing angle; sweat and leather show it most.
    rim = (1.0 - facing) * (1.0 - facing)
    sheen = rim * rim * sky * (0.12 + specular)
    gleam = 0.5 * sheen
    glint = 0.25 * sheen

    red = direct_red / np.pi + around[1, 0] * above + around[2, 0] * below + around[0, 0] * fill
    green = direct_green / np.pi + around[1, 1] * above + around[2, 1] * below + around[0, 1] * fill
    blue = direct_blue / np.pi + around[1, 2] * above + around[2, 2] * below + around[0, 2] * fill
    return (
        look[0] * red + shine_red + gleam * around[1, 0] + glint * around[0, 0] + near[4],
        look[1] * green + shine_green + gleam * around[1, 1] + glint * around[0, 1] + near[5],
        look[2] * blue + shine_blue + gleam * around[1, 2] + glint * around[0, 2] + near[6],
    )


@part
def _lamplight(
    lamps: Floats,
    lamp: int,
    visible: float,
    place: tuple[float, float, float],
    normal: tuple[float, float, float],
    way: tuple[float, float, float],
    look: Look,
) -> Light:
    """Return what a lamp of which *visible* is in view sends to the eye: scattered, without albedo, and mirrored."""
    dark = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    if visible <= 0.0:
        return dark
    lx, ly, lz = lamps[lamp, 0] - place[0], lamps[lamp, 1] - place[1], lamps[lamp, 2] - place[2]
    square = lx * lx + ly * ly + lz * lz
    away = 1.0 / np.sqrt(square)
    lx, ly, lz = lx * away, ly * away, lz * away
    cosine = normal[0] * lx + normal[1] * ly + normal[2] * lz
    skin = look[5]
    if cosine <= -0.3 * skin:
        return dark
    cone = -(lx * lamps[lamp, 7] + ly * lamps[lamp, 8] + lz * lamps[lamp, 9])
    beam = min(max((cone - lamps[lamp, 11]) / (lamps[lamp, 10] - lamps[lamp, 11]), 0.0), 1.0)
    if beam <= 0.0:
        return dark
    strength = visible * beam * beam * (3.0 - 2.0 * beam) / square
    red, green, blue = strength * lamps[lamp, 4], strength * lamps[lamp, 5], strength * lamps[lamp, 6]
    facing = max(cosine, 0.0)
    if skin > 0.0:
        # Light that enters skin comes out beyond the shadow's edge, red the farthest.
        scattered = red * _wrapped(cosine, 0.30), green * _wrapped(cosine, 0.14), blue * _wrapped(cosine, 0.09)
    else:
        scattered = red * facing, green * facing, blue * facing
    if facing <= 0.0:
        return scattered[0], scattered[1], scattered[2], 0.0, 0.0, 0.0
    gloss = facing * _gloss(lx, ly, lz, normal, way, look)
    return scattered[0], scattered[1], scattered[2], gloss * red, gloss * green, gloss * blue


@part
def _gloss(
    lx: float,
    ly: float,
    lz: float,
    normal: tuple[float, float, float],
    way: tuple[float, float, float],
    look: Look,
) -> float:
    """Return the share of light from direction (lx, ly, lz) that is mirrored to the eye.

    The normalised Blinn-Phong lobe (Akenine-Möller et al., "Real-Time Rendering", 4th ed., 9.8). Its power is written
    as an exponential with the logarithm's first two terms, xⁿ ≈ exp(-n (d + d²/2)) where d = 1 - x: a highlight lies
    where d is small, and the lobe six times as tight is then a sixth power.
    """
    hx, hy, hz = lx - way[0], ly - way[1], lz - way[2]
    scale = 1.0 / max(np.sqrt(hx * hx + hy * hy + hz * hz), 1e-6)
    off = 1.0 - max((normal[0] * hx + normal[1] * hy + normal[2] * hz) * scale, 0.0)
    shininess = look[4]
    # Below a ten-thousandth of the peak.
    if shininess * off > 9.0:
        return 0.0
    lobe = np.exp(np.float32(-shininess * (off + 0.5 * off * off)))
    gloss = (shininess + 8.0) / (8.0 * np.pi) * lobe
    if look[5] > 0.0:
        # Sweat: a second, tight lobe over the broad sheen of the skin itself.
        cube = lobe * lobe * lobe
        gloss = 0.65 * gloss + 0.30 * (6.0 * shininess + 8.0) / (8.0 * np.pi) * cube * cube
    graze = 1.0 - max((lx * hx + ly * hy + lz * hz) * scale, 0.0)
    fresnel = 0.04 + 0.96 * graze * graze * graze * graze * graze
    mirrored: float = look[3] * gloss * fresnel * 3.0
    return mirrored


@part
def _wrapped(cosine: float, wrap: float) -> float:
    """Return the diffuse term of light that bends around by *wrap*, keeping its energy (Green, GPU Gems 16)."""
    value = max((cosine + wrap) / (1.0 + wrap), 0.0)
    return value * value * (3.0 - 2.0 * value) * 0.5 + value * 0.5


@part
def _near_light(
    x: float,
    y: float,
    place: tuple[float, float, float],
    normal: tuple[float, float, float],
    distance: float,
    near: Floats,
) -> Nearby:
    """Return visibility and haze at a point, from the half-resolution pixels in its plane."""
    height, width = near.shape[0], near.shape[1]
    column, line = 0.5 * (x - 0.5), 0.5 * (y - 0.5)
    x0 = min(max(int(column), 0), max(width - 2, 0))
    y0 = min(max(int(line), 0), max(height - 2, 0))
    steep = 1.0 / (0.006 + 0.006 * distance)
    key = left = right = sky = red = green = blue = 0.0
    total = 0.0
    for q in range(y0, min(y0 + 2, height)):
        for p in range(x0, min(x0 + 2, width)):
            weight = 1e-4 + max(1.0 - abs(line - q), 0.0) * max(1.0 - abs(column - p), 0.0)
            if near[q, p, 6] > 0.0:
                off = normal[0] * (near[q, p, 0] - place[0])
                off += normal[1] * (near[q, p, 1] - place[1])
                off += normal[2] * (near[q, p, 2] - place[2])
                off *= steep
                alike = near[q, p, 3] * normal[0] + near[q, p, 4] * normal[1] + near[q, p, 5] * normal[2]
                alike = max(alike, 0.01)
                weight *= alike * alike / (1.0 + off * off)
            else:
                # Sky beside a thin thing: nothing shades it.
                weight *= 1e-3
            total += weight
            key += weight * near[q, p, 7]
            left += weight * near[q, p, 8]
            right += weight * near[q, p, 9]
            sky += weight * near[q, p, 10]
            red += weight * near[q, p, 11]
            green += weight * near[q, p, 12]
            blue += weight * near[q, p, 13]
    share = 1.0 / total
    return key * share, left * share, right * share, sky * share, red * share, green * share, blue * share


@part
def _backdrop(x: float, y: float, backdrop: Floats) -> tuple[float, float, float]:
    """Return the arena behind the stage, from the half-resolution pixels that show it."""
    height, width = backdrop.shape[0], backdrop.shape[1]
    column, line = 0.5 * (x - 0.5), 0.5 * (y - 0.5)
    x0 = min(max(int(column), 0), max(width - 2, 0))
    y0 = min(max(int(line), 0), max(height - 2, 0))
    red = green = blue = total = 0.0
    for q in range(y0, min(y0 + 2, height)):
        for p in range(x0, min(x0 + 2, width)):
            weight = 1e-4 + max(1.0 - abs(line - q), 0.0) * max(1.0 - abs(column - p), 0.0)
            total += weight
            red += weight * backdrop[q, p, 0]
            green += weight * backdrop[q, p, 1]
            blue += weight * backdrop[q, p, 2]
    return red / total, green / total, blue / total

"""The colour of a point on the stage: its pattern, its lamps, the light around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undercard.previz.kernel import kernel
from undercard.previz.mesh import Floats, Ints, Texture
from undercard.previz.rays import normal_at
from undercard.previz.ring import PLATFORM_HALF, PLATFORM_HEIGHT

_CANVAS, _SKIN, _LEATHER, _CLOTH, _SKIRT = (
    int(texture) for texture in (Texture.CANVAS, Texture.SKIN, Texture.LEATHER, Texture.CLOTH, Texture.SKIRT)
)
_WHOLE_RING = 2.0 * PLATFORM_HALF
_HEIGHT = PLATFORM_HEIGHT


@kernel
def shade(
    xs: Floats,
    ys: Floats,
    directions: Floats,
    triangles: Ints,
    distances: Floats,
    us: Floats,
    vs: Floats,
    geometry: tuple[Floats, Floats, Ints, Ints, Floats],
    textures: tuple[NDArray[np.uint8], Ints, NDArray[np.uint8], Ints],
    half: tuple[Floats, Floats, Floats, Floats, Floats, Floats],
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
        triangles: Shape (n,), -1 for none; *distances*, *us*, *vs* alike.
        geometry: Normals, rest places, faces, faces' materials, material table of a Scene.
        textures: Texels and levels of the canvas, then of the skirt.
        half: At half resolution: points, normals, distance (0 for none), visibility, haze, backdrop.
        camera: Eye, axes, focal length in px.
        lamps: See lights.LAMP_COLUMNS.
        around: Rows: fill, sky, ground, haze colour; shape (4, 3).
        colours: Out, linear light, shape (n, 3).
        surface: Out, shape (n, 6): depth (inf for none), camera-space normal, owner, material; owner -1 for none.
    """
    normals, rest, faces, face_materials, materials = geometry
    eye, axes, focal_px = camera
    look = np.zeros(8, np.float32)
    light = np.zeros(8, np.float32)
    for i in range(len(xs)):
        triangle = triangles[i]
        if triangle < 0:
            _backdrop(xs[i], ys[i], half, light)
            for k in range(3):
                colours[i, k] = light[k]
                surface[i, 1 + k] = 0.0
            surface[i, 0] = np.inf
            surface[i, 4] = -1.0
            surface[i, 5] = -1.0
            continue
        dx, dy, dz = directions[i, 0], directions[i, 1], directions[i, 2]
        t = distances[i]
        px, py, pz = eye[0] + t * dx, eye[1] + t * dy, eye[2] + t * dz
        nx, ny, nz = normal_at(normals, faces, triangle, us[i], vs[i], dx, dy, dz)
        material = face_materials[triangle]
        depth = t * (axes[2, 0] * dx + axes[2, 1] * dy + axes[2, 2] * dz)
        surface[i, 0] = depth
        surface[i, 1] = nx * axes[0, 0] + ny * axes[0, 1] + nz * axes[0, 2]
        surface[i, 2] = nx * axes[1, 0] + ny * axes[1, 1] + nz * axes[1, 2]
        # Toward the camera is positive.
        surface[i, 3] = -(nx * axes[2, 0] + ny * axes[2, 1] + nz * axes[2, 2])
        surface[i, 4] = materials[material, 6]
        surface[i, 5] = material

        facing = max(-(nx * dx + ny * dy + nz * dz), 0.0)
        footprint = t / focal_px / max(facing, 0.18)
        w = 1.0 - us[i] - vs[i]
        a, b, c = faces[triangle, 0], faces[triangle, 1], faces[triangle, 2]
        rx = rest[a, 0] * w + rest[b, 0] * us[i] + rest[c, 0] * vs[i]
        ry = rest[a, 1] * w + rest[b, 1] * us[i] + rest[c, 1] * vs[i]
        rz = rest[a, 2] * w + rest[b, 2] * us[i] + rest[c, 2] * vs[i]
        _paint(materials, material, rx, ry, rz, footprint, textures, look)
        # look: albedo, specular, shininess, what of skin this is
        _near_light(xs[i], ys[i], px, py, pz, nx, ny, nz, t, half, light)
        # light: visibility of key, rims and sky, then haze
        skin = look[5]
        red = green = blue = 0.0
        shine_red = shine_green = shine_blue = 0.0
        for lamp in range(3):
            lx, ly, lz = lamps[lamp, 0] - px, lamps[lamp, 1] - py, lamps[lamp, 2] - pz
            square = lx * lx + ly * ly + lz * lz
            scale = 1.0 / np.sqrt(square)
            lx, ly, lz = lx * scale, ly * scale, lz * scale
            cone = -(lx * lamps[lamp, 7] + ly * lamps[lamp, 8] + lz * lamps[lamp, 9])
            beam = min(max((cone - lamps[lamp, 11]) / (lamps[lamp, 10] - lamps[lamp, 11]), 0.0), 1.0)
            strength = light[lamp] * beam * beam * (3.0 - 2.0 * beam) / square
            if strength <= 0.0:
                continue
            cosine = nx * lx + ny * ly + nz * lz
            # Light that enters skin comes out beyond the shadow's edge, red the farthest.
            wrap_red = _wrapped(cosine, 0.30 * skin)
            wrap_green = _wrapped(cosine, 0.14 * skin)
            wrap_blue = _wrapped(cosine, 0.09 * skin)
            red += strength * lamps[lamp, 4] * wrap_red
            green += strength * lamps[lamp, 5] * wrap_green
            blue += strength * lamps[lamp, 6] * wrap_blue
            if cosine <= 0.0:
                continue
            hx, hy, hz = lx - dx, ly - dy, lz - dz
            scale = 1.0 / max(np.sqrt(hx * hx + hy * hy + hz * hz), 1e-6)
            half_cosine = max((nx * hx + ny * hy + nz * hz) * scale, 0.0)
            toward = max((lx * hx + ly * hy + lz * hz) * scale, 0.0)
            gloss = _glossy(half_cosine, look[4]) * look[3]
            if skin > 0.0:
                # Sweat: a second, tight lobe over the broad sheen of the skin itself.
                gloss = 0.65 * gloss + 0.30 * look[3] * _glossy(half_cosine, 6.0 * look[4])
            fresnel = 0.04 + 0.96 * (1.0 - toward) ** 5
            gloss *= strength * cosine * fresnel * 3.0
            shine_red += gloss * lamps[lamp, 4]
            shine_green += gloss * lamps[lamp, 5]
            shine_blue += gloss * lamps[lamp, 6]
        sky = light[3]
        # The fill stands a little right of and above the camera.
        fx = -dx + 0.35 * axes[0, 0] + 0.35 * axes[1, 0]
        fy = -dy + 0.35 * axes[0, 1] + 0.35 * axes[1, 1]
        fz = -dz + 0.35 * axes[0, 2] + 0.35 * axes[1, 2]
        scale = 1.0 / max(np.sqrt(fx * fx + fy * fy + fz * fz), 1e-6)
        fill = _wrapped((nx * fx + ny * fy + nz * fz) * scale, 0.35) * (0.35 + 0.65 * sky)
        up = 0.5 + 0.5 * ny
        rim = (1.0 - facing) ** 4
        occlusion = 0.25 * sky + 0.75 * sky * sky
        for k in range(3):
            direct = red if k == 0 else (green if k == 1 else blue)
            shine = shine_red if k == 0 else (shine_green if k == 1 else shine_blue)
            ambient = (around[1, k] * up + around[2, k] * (1.0 - up)) * occlusion
            diffuse = look[k] * (direct / np.pi + ambient + around[0, k] * fill)
            # What the dark surroundings mirror at a grazing angle; sweat and leather show it most.
            sheen = rim * sky * (0.12 + look[3]) * (0.5 * around[1, k] + 0.25 * around[0, k])
            colours[i, k] = diffuse + shine + sheen + light[4 + k]


@kernel
def _wrapped(cosine: float, wrap: float) -> float:
    """Return the diffuse term of light that bends around by *wrap*, keeping its energy (Green, GPU Gems 16)."""
    if wrap <= 0.0:
        return max(cosine, 0.0)
    value = max((cosine + wrap) / (1.0 + wrap), 0.0)
    return value * value * (3.0 - 2.0 * value) * 0.5 + value * 0.5


@kernel
def _glossy(half_cosine: float, shininess: float) -> float:
    """Return the normalised Blinn-Phong lobe (Akenine-Möller et al., "Real-Time Rendering", 4th ed., 9.8)."""
    if shininess * (1.0 - half_cosine) > 9.0:
        # Below a ten-thousandth of the peak, and a power is the dearest thing here.
        return 0.0
    lobe: float = (shininess + 8.0) / (8.0 * np.pi) * half_cosine**shininess
    return lobe


@kernel
def _paint(
    materials: Floats,
    material: int,
    x: float,
    y: float,
    z: float,
    footprint: float,
    textures: tuple[NDArray[np.uint8], Ints, NDArray[np.uint8], Ints],
    look: Floats,
) -> None:
    """Fill *look* with albedo (3), specular, shininess and skin (0 or 1) of a material at a rest place."""
    texture = int(materials[material, 5])
    for k in range(5):
        look[k] = materials[material, k]
    look[5] = 0.0
    if texture == _CANVAS:
        _texel(textures[0], textures[1], x / _WHOLE_RING + 0.5, z / _WHOLE_RING + 0.5, footprint / _WHOLE_RING, look)
        look[3] *= 1.0 + 0.6 * np.sin(2.3 * x + 1.3 * np.sin(3.1 * z)) * np.sin(2.9 * z)
    elif texture == _SKIRT:
        if abs(abs(z) - 0.5 * _WHOLE_RING) < abs(abs(x) - 0.5 * _WHOLE_RING):
            across = x if z > 0.0 else -x
        else:
            across = -z if x > 0.0 else z
        _texel(textures[2], textures[3], across / _WHOLE_RING + 0.5, -y / _HEIGHT, footprint / _WHOLE_RING, look)
        # Hanging cloth: soft vertical folds.
        fold = 0.86 + 0.14 * np.sin(19.0 * across + 1.7 * np.sin(3.0 * across))
        for k in range(3):
            look[k] *= fold
    elif texture == _SKIN:
        look[5] = 1.0
        fade = min(max(0.012 / max(footprint, 1e-4), 0.0), 1.0)
        mottle = _noise(38.0 * x, 38.0 * y, 38.0 * z)
        broad = _noise(9.0 * x, 9.0 * y, 9.0 * z)
        look[0] *= 1.0 + 0.06 * broad + 0.03 * mottle * fade
        look[1] *= 1.0 - 0.05 * broad
        look[2] *= 1.0 - 0.06 * broad
        # Sweat lies in patches and beads.
        beads = _noise(170.0 * x, 170.0 * y, 170.0 * z) * min(0.004 / max(footprint, 1e-4), 1.0)
        look[3] *= max(0.0, 0.85 + 0.35 * broad + 0.25 * mottle * fade + 0.45 * beads)
    elif texture == _LEATHER:
        fade = min(0.006 / max(footprint, 1e-4), 1.0)
        grain = _noise(140.0 * x, 140.0 * y, 140.0 * z) * fade
        crease = _noise(24.0 * x, 24.0 * y, 24.0 * z)
        look[3] *= 1.0 + 0.25 * grain + 0.25 * crease
        for k in range(3):
            look[k] *= 1.0 + 0.05 * crease
    elif texture == _CLOTH:
        fade = min(0.006 / max(footprint, 1e-4), 1.0)
        weave = np.sin(900.0 * y) * np.sin(900.0 * (x + z)) * min(0.0016 / max(footprint, 1e-4), 1.0)
        fold = _noise(13.0 * x, 5.0 * y, 13.0 * z)
        for k in range(3):
            look[k] *= 1.0 + 0.06 * fold + 0.04 * weave * fade


@kernel
def _texel(texels: NDArray[np.uint8], levels: Ints, u: float, v: float, footprint: float, look: Floats) -> None:
    """Set look[0:3] to the texture at (u, v) in 0…1, blended for a pixel that spans *footprint* of its width."""
    span = max(footprint * levels[0, 1], 1.0)
    level = min(np.log2(span), len(levels) - 1.001)
    fine = int(level)
    blend = level - fine
    look[0] = look[1] = look[2] = 0.0
    for step in range(2):
        start, width, height = levels[fine + step, 0], levels[fine + step, 1], levels[fine + step, 2]
        share = blend if step == 1 else 1.0 - blend
        x = min(max(u * width - 0.5, 0.0), width - 1.001)
        y = min(max(v * height - 0.5, 0.0), height - 1.001)
        x0, y0 = int(x), int(y)
        for j in range(2):
            for i in range(2):
                weight = share * (x - x0 if i else 1.0 - (x - x0)) * (y - y0 if j else 1.0 - (y - y0))
                place = start + (y0 + j) * width + x0 + i
                for k in range(3):
                    tone = texels[place, k] * (1.0 / 255.0)
                    # A square is close enough to sRGB's curve for paint.
                    look[k] += weight * tone * tone


@kernel
def _noise(x: float, y: float, z: float) -> float:
    """Return value noise in -1…1: hashed lattice values, smoothly blended (after Perlin 1985)."""
    x0, y0, z0 = np.floor(x), np.floor(y), np.floor(z)
    fx, fy, fz = x - x0, y - y0, z - z0
    fx, fy, fz = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
    ix, iy, iz = np.int64(x0), np.int64(y0), np.int64(z0)
    total = 0.0
    for k in range(8):
        i, j, m = k & 1, (k >> 1) & 1, k >> 2
        weight = (fx if i else 1 - fx) * (fy if j else 1 - fy) * (fz if m else 1 - fz)
        seed = (ix + i) * 73856093 ^ (iy + j) * 19349663 ^ (iz + m) * 83492791
        seed = (seed ^ (seed >> 13)) * 1274126177
        total += weight * ((seed ^ (seed >> 16)) & 0xFFFF)
    return total / 32767.5 - 1.0


@kernel
def _near_light(
    x: float,
    y: float,
    px: float,
    py: float,
    pz: float,
    nx: float,
    ny: float,
    nz: float,
    distance: float,
    half: tuple[Floats, Floats, Floats, Floats, Floats, Floats],
    light: Floats,
) -> None:
    """Fill *light* with visibility (4) and haze (3) at a point, from the half-resolution pixels in its plane."""
    points, normals, far, visibility, haze = half[0], half[1], half[2], half[3], half[4]
    height, width = far.shape
    column, line = 0.5 * (x - 0.5), 0.5 * (y - 0.5)
    x0 = min(max(int(np.floor(column)), 0), max(width - 2, 0))
    y0 = min(max(int(np.floor(line)), 0), max(height - 2, 0))
    tolerance = 0.006 + 0.006 * distance
    light[:] = 0.0
    total = 0.0
    for j in range(min(2, height)):
        for i in range(min(2, width)):
            q, p = y0 + j, x0 + i
            weight = 1e-4 + max(1.0 - abs(line - q), 0.0) * max(1.0 - abs(column - p), 0.0)
            if far[q, p] > 0.0:
                off = (
                    nx * (points[q, p, 0] - px) + ny * (points[q, p, 1] - py) + nz * (points[q, p, 2] - pz)
                ) / tolerance
                alike = normals[q, p, 0] * nx + normals[q, p, 1] * ny + normals[q, p, 2] * nz
                weight *= max(alike, 0.01) ** 2 / (1.0 + off * off)
            else:
                # Sky beside a thin thing: nothing shades it.
                weight *= 1e-3
            total += weight
            for k in range(4):
                light[k] += weight * visibility[q, p, k]
            for k in range(3):
                light[4 + k] += weight * haze[q, p, k]
    for k in range(7):
        light[k] /= total


@kernel
def _backdrop(x: float, y: float, half: tuple[Floats, Floats, Floats, Floats, Floats, Floats], light: Floats) -> None:
    """Fill light[0:3] with the arena behind the stage, from the half-resolution pixels that show it."""
    far, backdrop = half[2], half[5]
    height, width = far.shape
    column, line = 0.5 * (x - 0.5), 0.5 * (y - 0.5)
    x0 = min(max(int(np.floor(column)), 0), max(width - 2, 0))
    y0 = min(max(int(np.floor(line)), 0), max(height - 2, 0))
    light[:] = 0.0
    total = 0.0
    for j in range(min(2, height)):
        for i in range(min(2, width)):
            weight = 1e-4 + max(1.0 - abs(line - y0 - j), 0.0) * max(1.0 - abs(column - x0 - i), 0.0)
            total += weight
            for k in range(3):
                light[k] += weight * backdrop[y0 + j, x0 + i, k]
    for k in range(3):
        light[k] /= total

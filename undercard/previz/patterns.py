"""What a surface looks like at a point: the patterns that go over a material's colour, by rest place."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.previz.kernel import part
from undercard.previz.mesh import Floats, Ints, Texture
from undercard.previz.ring import PLATFORM_HALF, PLATFORM_HEIGHT

Prints: TypeAlias = tuple[NDArray[np.uint8], Ints, NDArray[np.uint8], Ints]
"""Texels and levels of the canvas, then of the skirt (paint.Pyramid)."""
Look: TypeAlias = tuple[float, float, float, float, float, float]
"""Albedo (3), specular, shininess, and how much of skin it is, 0 or 1."""

_CANVAS, _SKIN, _LEATHER, _CLOTH, _SKIRT = (
    int(texture) for texture in (Texture.CANVAS, Texture.SKIN, Texture.LEATHER, Texture.CLOTH, Texture.SKIRT)
)
_WHOLE_RING = 2.0 * PLATFORM_HALF
_HEIGHT = PLATFORM_HEIGHT
_FAINT = 0.08
"""Share of its full strength below which a pattern too fine for its pixel is left out."""


@part
def look_at(materials: Floats, material: int, x: float, y: float, z: float, footprint: float, prints: Prints) -> Look:
    """Return the look of a material at a rest place, for a pixel that spans *footprint* metres there."""
    texture = int(materials[material, 5])
    red, green, blue = materials[material, 0], materials[material, 1], materials[material, 2]
    specular, shininess = materials[material, 3], materials[material, 4]
    if texture == _CANVAS:
        red, green, blue = _texel(
            prints[0], prints[1], x / _WHOLE_RING + 0.5, z / _WHOLE_RING + 0.5, footprint / _WHOLE_RING
        )
        # Worn smooth here and there.
        specular *= 1.0 + 0.6 * _sine(2.3 * x + 1.3 * _sine(3.1 * z)) * _sine(2.9 * z)
    elif texture == _SKIRT:
        if abs(abs(z) - 0.5 * _WHOLE_RING) < abs(abs(x) - 0.5 * _WHOLE_RING):
            across = x if z > 0.0 else -x
        else:
            across = -z if x > 0.0 else z
        red, green, blue = _texel(
            prints[2], prints[3], across / _WHOLE_RING + 0.5, -y / _HEIGHT, footprint / _WHOLE_RING
        )
        # Hanging cloth: soft vertical folds.
        fold = 0.86 + 0.14 * _sine(19.0 * across + 1.7 * _sine(3.0 * across))
        red, green, blue = red * fold, green * fold, blue * fold
    elif texture == _SKIN:
        mottle = _fading(38.0, x, y, z, 0.012 / footprint)
        broad = _noise(9.0 * x, 9.0 * y, 9.0 * z)
        red *= 1.0 + 0.06 * broad + 0.03 * mottle
        green *= 1.0 - 0.05 * broad
        blue *= 1.0 - 0.06 * broad
        # Sweat lies in patches and beads.
        beads = _fading(170.0, x, y, z, 0.004 / footprint)
        specular *= max(0.0, 0.85 + 0.35 * broad + 0.25 * mottle + 0.45 * beads)
        return red, green, blue, specular, shininess, 1.0
    elif texture == _LEATHER:
        grain = _fading(140.0, x, y, z, 0.006 / footprint)
        crease = _noise(24.0 * x, 24.0 * y, 24.0 * z)
        specular *= 1.0 + 0.25 * grain + 0.25 * crease
        tone = 1.0 + 0.05 * crease
        red, green, blue = red * tone, green * tone, blue * tone
    elif texture == _CLOTH:
        weave = min(0.0016 / footprint, 1.0) * min(0.006 / footprint, 1.0)
        if weave > _FAINT:
            weave *= _sine(900.0 * y) * _sine(900.0 * (x + z))
        tone = 1.0 + 0.06 * _noise(13.0 * x, 5.0 * y, 13.0 * z) + 0.04 * weave
        red, green, blue = red * tone, green * tone, blue * tone
    return red, green, blue, specular, shininess, 0.0


@part
def _sine(x: float) -> float:
    """Return the sine in single precision, which is twice as fast."""
    sine: float = np.sin(np.float32(x))
    return sine


@part
def _fading(frequency: float, x: float, y: float, z: float, strength: float) -> float:
    """Return noise of *frequency* a metre as strong as a pixel can show it, -1…1."""
    if strength < _FAINT:
        return 0.0
    return _noise(frequency * x, frequency * y, frequency * z) * min(strength, 1.0)


@part
def _texel(texels: NDArray[np.uint8], levels: Ints, u: float, v: float, footprint: float) -> tuple[float, float, float]:
    """Return the texture at (u, v) in 0…1 as linear light, blended for a pixel that spans *footprint* of its width."""
    level = min(np.log2(np.float32(max(footprint * levels[0, 1], 1.0))), len(levels) - 1.001)
    fine = int(level)
    red = green = blue = 0.0
    for step in range(2):
        start, width, height = levels[fine + step, 0], levels[fine + step, 1], levels[fine + step, 2]
        share = level - fine if step == 1 else 1.0 - (level - fine)
        x = min(max(u * width - 0.5, 0.0), width - 1.001)
        y = min(max(v * height - 0.5, 0.0), height - 1.001)
        x0, y0 = int(x), int(y)
        right, below = x - x0, y - y0
        place = start + y0 * width + x0
        for corner in range(4):
            i, j = corner & 1, corner >> 1
            weight = share * (right if i else 1.0 - right) * (below if j else 1.0 - below)
            at = place + j * width + i
            r, g, b = int(texels[at, 0]), int(texels[at, 1]), int(texels[at, 2])
            # A square is close enough to sRGB's curve for paint.
            red, green, blue = red + weight * (r * r), green + weight * (g * g), blue + weight * (b * b)
    return red / 65025.0, green / 65025.0, blue / 65025.0


@part
def _noise(x: float, y: float, z: float) -> float:
    """Return value noise in -1…1: hashed lattice values, smoothly blended (after Perlin 1985)."""
    ix, iy, iz = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    fx, fy, fz = x - ix, y - iy, z - iz
    fx, fy, fz = fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy), fz * fz * (3.0 - 2.0 * fz)
    # Large primes, one an axis, as in spatial hashing (Teschner et al. 2003).
    left, down, back = ix * 73856093, iy * 19349663, iz * 83492791
    near = _edge(left, down ^ back, fx)
    near += (_edge(left, (down + 19349663) ^ back, fx) - near) * fy
    far = _edge(left, down ^ (back + 83492791), fx)
    far += (_edge(left, (down + 19349663) ^ (back + 83492791), fx) - far) * fy
    return (near + (far - near) * fz) / 32767.5 - 1.0


@part
def _edge(left: int, rest: int, share: float) -> float:
    """Return the value between two lattice points that differ in x."""
    low = _hashed(left ^ rest)
    return low + (_hashed((left + 73856093) ^ rest) - low) * share


@part
def _hashed(seed: int) -> float:
    mixed = (seed ^ (seed >> 13)) * 1274126177
    return float((mixed ^ (mixed >> 16)) & 0xFFFF)

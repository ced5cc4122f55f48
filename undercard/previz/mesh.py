"""Triangles with normals and a material each: what figures and ring are made of, and what the renderer draws."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int32]


class Texture(IntEnum):
    """A pattern that the shader computes from the point it shades, on top of a material's colour."""

    PLAIN = 0
    CANVAS = 1
    SKIN = 2
    LEATHER = 3
    CLOTH = 4
    SKIRT = 5


@dataclass(frozen=True, slots=True)
class Material:
    """How a surface answers light."""

    colour: tuple[float, float, float]
    """Albedo in linear light, 0…1."""
    specular: float
    """Strength of the highlight, 0…1."""
    shininess: float
    """Blinn-Phong exponent; higher is tighter."""
    texture: Texture = Texture.PLAIN


@dataclass(frozen=True, slots=True)
class Mesh:
    """A triangle mesh in stage coordinates."""

    vertices: Floats
    """Shape (n, 3), metres."""
    normals: Floats
    """Shape (n, 3), unit length."""
    faces: Ints
    """Shape (m, 3), counter-clockwise from outside."""
    face_materials: Ints
    """Shape (m,), indices into `materials`."""
    materials: tuple[Material, ...]
    rest: Floats | None = None
    """Shape (n, 3): where each vertex is in the rest pose, so that a texture stays on a body that moves."""

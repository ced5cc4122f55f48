"""What a fighter's look makes of each part of the body: its material."""

from __future__ import annotations

from functools import lru_cache

from undercard.domain.staging import Look
from undercard.previz.mesh import Material, Texture

Colour = tuple[float, float, float]

WHITE: Colour = (0.80, 0.78, 0.74)
GOLD: Colour = (0.60, 0.40, 0.08)


@lru_cache(maxsize=64)
def materials(look: Look, parts: tuple[str, ...]) -> tuple[Material, ...]:
    """Return the material of each part, in the order of *parts*."""
    skin, hair = linear(look.skin), linear(look.hair)
    trunks, gloves, boots = linear(look.trunks), linear(look.gloves), linear(look.boots)
    trim = WHITE if brightness(trunks) < 0.4 else GOLD
    lace = WHITE if brightness(boots) < 0.4 else (0.05, 0.05, 0.05)
    by_part = {
        "skin": Material(skin, 0.35, 28.0, Texture.SKIN),
        "lips": Material(_lips(skin), 0.40, 30.0, Texture.SKIN),
        "brows": Material(_mixed(skin, hair, 0.85), 0.10, 12.0),
        "beard": Material(_mixed(skin, hair, 0.68), 0.12, 12.0, Texture.SKIN),
        "fade": Material(_mixed(skin, hair, 0.72), 0.20, 18.0, Texture.SKIN),
        "hair": Material(_mixed(skin, hair, 0.92), 0.06, 8.0),
        "eye": Material((0.68, 0.66, 0.63), 0.80, 110.0),
        "iris": Material((0.075, 0.036, 0.016), 0.90, 120.0),
        "pupil": Material((0.006, 0.006, 0.007), 1.00, 140.0),
        "trunks": Material(trunks, 0.30, 22.0, Texture.CLOTH),
        "trim": Material(trim, 0.30, 22.0, Texture.CLOTH),
        "gloves": Material(gloves, 0.65, 70.0, Texture.LEATHER),
        "cuff": Material(_mixed(gloves, (0.0, 0.0, 0.0), 0.35), 0.50, 50.0, Texture.LEATHER),
        "tape": Material(WHITE, 0.15, 14.0, Texture.CLOTH),
        "boots": Material(boots, 0.45, 40.0, Texture.LEATHER),
        "sole": Material(WHITE, 0.20, 20.0),
        "sock": Material(WHITE, 0.15, 14.0, Texture.CLOTH),
        "laces": Material(lace, 0.20, 20.0, Texture.CLOTH),
    }
    return tuple(by_part[part] for part in parts)


def linear(colour: str) -> Colour:
    """Return an sRGB colour `#rrggbb` in linear light, 0…1 (IEC 61966-2-1)."""
    red, green, blue = (_linear(int(colour[k : k + 2], 16) / 255.0) for k in (1, 3, 5))
    return red, green, blue


def brightness(colour: Colour) -> float:
    """Return the relative luminance of a linear colour (Rec. 709)."""
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _mixed(a: Colour, b: Colour, share: float) -> Colour:
    red, green, blue = (x + (y - x) * share for x, y in zip(a, b, strict=True))
    return red, green, blue


def _lips(skin: Colour) -> Colour:
    # Redder and darker than the skin around them; on dark skin they are paler than it, so that the mouth reads.
    if brightness(skin) < 0.06:
        return skin[0] * 1.55 + 0.02, skin[1] * 1.05 + 0.006, skin[2] * 1.15 + 0.008
    return skin[0] * 0.82, skin[1] * 0.52, skin[2] * 0.55

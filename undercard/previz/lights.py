"""The table of lights: what hangs above the ring, what fills the shadows, how the picture is graded."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np

from undercard.domain.staging import Vec3
from undercard.errors import BadInput
from undercard.previz.mesh import Floats


@dataclass(frozen=True, slots=True)
class Lamp:
    """A round spotlight."""

    position: Vec3
    """Metres; of a lamp that follows, relative to the middle of the fighters."""
    radius: float
    """Of the lit disc, metres: larger throws softer shadows."""
    colour: Vec3
    """Linear light, unitless; falls off with the square of the distance."""
    cone_degrees: tuple[float, float] = (80.0, 89.0)
    """Half-angles between which the light fades out."""
    aim: Vec3 = (0.0, 1.0, 0.0)
    follows: bool = False
    """Stays over the fighters and points at them."""


@dataclass(frozen=True, slots=True)
class Beam:
    """A shaft of light in the haze."""

    source: Vec3
    aim: Vec3
    colour: Vec3
    spread: float = 0.05
    """Radius gained a metre."""


@dataclass(frozen=True, slots=True)
class Light:
    """One way to light the stage."""

    about: str
    key: Lamp
    rims: tuple[Lamp, Lamp]
    fill: Vec3
    """Soft light from beside the camera, so that faces read from wherever they are seen."""
    sky: Vec3
    ground: Vec3
    """Light bounced up by the canvas."""
    beams: tuple[Beam, ...]
    haze: Vec3
    """Colour that distance adds."""
    crowd: float
    """How much light reaches the stands, 1 in a title fight."""
    exposure: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    tint: Vec3 = (1.0, 1.0, 1.0)
    vignette: float = 0.30
    bloom: float = 1.0
    grain: float = 0.014


def _truss(colour: Vec3, other: Vec3, strength: float) -> tuple[Beam, ...]:
    """Return eight beams from the truss to the canvas, in two colours by turns, and four out to the stands."""
    places = [(-1.0, -1.0), (0.0, -1.0), (1.0, -1.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (-1.0, 1.0), (-1.0, 0.0)]
    down = [
        Beam(
            (3.1 * x, 6.1, 3.1 * z),
            (1.3 * x, 0.0, 1.3 * z),
            _scaled(colour if index % 2 else other, strength),
            0.055,
        )
        for index, (x, z) in enumerate(places)
    ]
    out = [
        Beam((3.1 * x, 6.2, 3.1 * z), (13.0 * x, 1.0, 11.0 * z), _scaled(other, 0.6 * strength), 0.028)
        for x, z in ((-1.0, -0.7), (1.0, -0.7), (-0.8, 1.0), (0.8, 1.0))
    ]
    return (*down, *out)


def _scaled(colour: Vec3, by: float) -> Vec3:
    return (colour[0] * by, colour[1] * by, colour[2] * by)


_WARM: Vec3 = (1.0, 0.93, 0.82)
_COOL: Vec3 = (0.42, 0.60, 1.0)
_AMBER: Vec3 = (1.0, 0.55, 0.25)
_TEAL: Vec3 = (0.30, 0.85, 1.0)

_LIGHTS = {
    "stage": Light(
        about="fight night: warm key from the truss, blue and amber edges, the crowd in the dark",
        key=Lamp((1.5, 5.0, 2.3), 0.42, _scaled(_WARM, 88.0)),
        rims=(
            Lamp((-4.4, 3.0, -4.2), 0.35, _scaled(_COOL, 64.0)),
            Lamp((4.6, 2.8, -3.8), 0.35, _scaled(_AMBER, 48.0)),
        ),
        fill=(0.20, 0.205, 0.225),
        sky=(0.17, 0.195, 0.25),
        ground=(0.16, 0.155, 0.16),
        beams=_truss(_COOL, _WARM, 0.075),
        haze=(0.010, 0.014, 0.026),
        crowd=0.72,
    ),
    "corner": Light(
        about="between rounds: one low lamp from the side, deep shadow, the arena nearly gone",
        # Square to the line between the corners: it models the face of whoever stands in either.
        key=Lamp((2.1, 2.7, 2.1), 0.4, _scaled((1.0, 0.82, 0.60), 26.0), (26.0, 44.0), follows=True),
        rims=(
            Lamp((4.4, 3.4, -3.0), 0.3, _scaled(_TEAL, 46.0)),
            Lamp((0.0, 5.4, -4.4), 0.4, _scaled(_WARM, 20.0)),
        ),
        fill=(0.12, 0.13, 0.17),
        sky=(0.085, 0.10, 0.14),
        ground=(0.08, 0.075, 0.07),
        beams=(Beam((-5.2, 5.4, 3.0), (0.5, 0.2, -0.4), _scaled((1.0, 0.78, 0.5), 0.035), 0.08),),
        haze=(0.010, 0.010, 0.014),
        crowd=0.35,
        contrast=1.08,
        vignette=0.48,
    ),
    "cold": Light(
        about="the blue hour of a knockdown or a memory: cold, flat, desaturated, a pale halo from behind",
        key=Lamp((-1.2, 6.0, -1.4), 0.9, _scaled((0.62, 0.78, 1.0), 54.0)),
        rims=(
            Lamp((-4.0, 3.6, -4.2), 0.4, _scaled((0.55, 0.75, 1.0), 58.0)),
            Lamp((4.2, 3.6, -3.8), 0.4, _scaled((0.75, 0.88, 1.0), 46.0)),
        ),
        fill=(0.30, 0.36, 0.46),
        sky=(0.16, 0.21, 0.31),
        ground=(0.10, 0.12, 0.16),
        beams=_truss((0.5, 0.7, 1.0), (0.6, 0.8, 1.0), 0.085),
        haze=(0.014, 0.024, 0.045),
        crowd=0.55,
        saturation=0.55,
        tint=(0.90, 1.0, 1.12),
        vignette=0.42,
    ),
    "spot": Light(
        about="the walk-in: a single beam on the fighters, everything else dark",
        key=Lamp((0.5, 6.0, 0.9), 0.28, _scaled((1.0, 0.95, 0.88), 84.0), (11.0, 17.0), follows=True),
        rims=(
            Lamp((-2.4, 5.0, -3.2), 0.3, _scaled(_COOL, 30.0), (14.0, 26.0), follows=True),
            Lamp((2.6, 4.6, -3.0), 0.3, _scaled(_AMBER, 16.0), (14.0, 26.0), follows=True),
        ),
        fill=(0.20, 0.205, 0.22),
        sky=(0.030, 0.034, 0.045),
        ground=(0.030, 0.030, 0.032),
        beams=(),
        haze=(0.005, 0.006, 0.010),
        crowd=0.15,
        contrast=1.05,
        vignette=0.5,
        bloom=1.3,
    ),
    "night": Light(
        about="after the fight: the lamps are out, a last glow on the canvas",
        key=Lamp((0.0, 6.4, 0.0), 1.2, _scaled(_COOL, 1.5), (30.0, 60.0)),
        rims=(
            # Low, so that they edge the fighters and only graze the canvas.
            Lamp((-4.4, 1.7, -4.2), 0.4, _scaled(_COOL, 26.0)),
            Lamp((4.6, 1.7, -3.8), 0.4, _scaled(_COOL, 28.0)),
        ),
        fill=(0.105, 0.127, 0.180),
        sky=(0.006, 0.008, 0.014),
        ground=(0.008, 0.008, 0.010),
        beams=(),
        haze=(0.003, 0.004, 0.007),
        crowd=0.06,
        vignette=0.6,
    ),
    "flash": Light(
        about="the instant of impact: a press flash from the camera's side, burnt out and pale",
        key=Lamp((1.4, 3.6, 4.2), 0.25, _scaled((1.0, 0.98, 0.95), 115.0)),
        rims=(
            Lamp((-4.2, 4.2, -3.8), 0.35, _scaled(_COOL, 90.0)),
            Lamp((4.4, 3.9, -3.4), 0.35, _scaled((1.0, 0.8, 0.6), 80.0)),
        ),
        fill=(0.75, 0.75, 0.75),
        sky=(0.40, 0.42, 0.46),
        ground=(0.30, 0.30, 0.30),
        beams=_truss(_WARM, _WARM, 0.06),
        haze=(0.03, 0.03, 0.034),
        crowd=1.6,
        exposure=1.35,
        saturation=0.72,
        vignette=0.2,
        bloom=2.2,
    ),
}


def names() -> tuple[str, ...]:
    """Return the name of every light."""
    return tuple(_LIGHTS)


def about(name: str) -> str:
    """Return one line on the light called *name*."""
    return light(name).about


def light(name: str) -> Light:
    """Return the light called *name*.

    Raises:
        BadInput: there is no such light.
    """
    if name not in _LIGHTS:
        near = difflib.get_close_matches(name, _LIGHTS, n=2)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise BadInput(f"light {name!r} does not exist; {hint}use one of {', '.join(_LIGHTS)}")
    return _LIGHTS[name]


LAMP_COLUMNS = 12
"""Of the lamp table: position, radius, colour, direction, cosine of the full and of the outer half-angle."""
BEAM_COLUMNS = 12
"""Of the beam table: source, direction, colour, length, spread, radius at the source."""


def lamp_table(light: Light, middle: Vec3) -> Floats:
    """Return the key and the two rims as rows, shape (3, 12); *middle* is where the fighters are."""
    return np.array([_lamp_row(lamp, middle) for lamp in (light.key, *light.rims)], np.float32)


def beam_table(light: Light, middle: Vec3) -> Floats:
    """Return the beams as rows, shape (n, 12); a lamp that follows the fighters has a beam of its own."""
    beams = list(light.beams)
    if light.key.follows:
        lamp = light.key
        source = tuple(np.add(lamp.position, middle).tolist())
        spread = float(np.tan(np.radians(lamp.cone_degrees[0])))
        beams.append(Beam(source, (middle[0], 0.0, middle[2]), _scaled(lamp.colour, 0.0011), spread))
    rows = np.zeros((len(beams), BEAM_COLUMNS), np.float32)
    for row, beam in zip(rows, beams, strict=True):
        way = np.subtract(beam.aim, beam.source)
        length = float(np.linalg.norm(way))
        row[:] = (*beam.source, *(way / length), *beam.colour, length, beam.spread, 0.06)
    return rows


def _lamp_row(lamp: Lamp, middle: Vec3) -> tuple[float, ...]:
    position = np.add(lamp.position, middle) if lamp.follows else np.asarray(lamp.position)
    aim = np.add(middle, (0.0, 0.9, 0.0)) if lamp.follows else np.asarray(lamp.aim)
    direction = (aim - position) / np.linalg.norm(aim - position)
    inner, outer = np.cos(np.radians(lamp.cone_degrees))
    return (*position.tolist(), lamp.radius, *lamp.colour, *direction.tolist(), float(inner), float(outer))

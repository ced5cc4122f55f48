"""Scenes by seed: who stands where in which pose, look and light before which camera, at two keyframes of a shot."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from undercard.domain.colours import COLOURS
from undercard.domain.staging import Corner, Look, PlacedFighter, Staging, Stance
from undercard.gate.vision.colour import lab
from undercard.previz import cameras, lights, poses

SKINS = ("porcelain", "fair", "tan", "brown", "umber", "ebony")
HAIRS = ("black", "chestnut", "blond", "ginger")
TRUNKS: dict[Corner, tuple[str, ...]] = {
    "red": ("red", "crimson", "maroon", "orange", "gold"),
    "blue": ("blue", "royal_blue", "navy", "teal", "sky_blue"),
}
NEUTRAL = Look("#8d6a4f", "#808489", "#808489", "#33363b", "#141416")
"""Of a third person, who belongs to neither corner."""
DRIFTED = ("purple", "green", "silver", "teal", "gold", "pink")
"""Colours that a model may give a fighter in place of his own."""
CUT_SHARE = 0.3
"""Of the shots whose camera changes between the two keyframes."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Two keyframes of a shot."""

    seed: int
    before: Staging
    now: Staging


def scene(seed: int) -> Scene:
    """Return the scene of *seed*; the same seed gives the same scene."""
    rng = np.random.default_rng([5, seed])
    light = _one(rng, lights.names())
    before = _faced(_fighter(rng, "red"), _fighter(rng, "blue"), rng)
    names = [_one(rng, poses.names()) for _ in before]
    now = tuple(replace(fighter, pose=poses.pose(name)) for fighter, name in zip(before, names, strict=True))
    shown = [name for name in cameras.names() if name != "pov"]
    first = _one(rng, shown)
    second = _one(rng, shown) if rng.random() < CUT_SHARE else first
    return Scene(
        seed,
        Staging(cameras.camera(first, before), before, light),
        Staging(cameras.camera(second, now), now, light),
    )


def with_other_pose(staging: Staging, rng: np.random.Generator) -> Staging:
    """Return *staging* with one fighter in another pose."""
    index = int(rng.integers(len(staging.fighters)))
    fighters = list(staging.fighters)
    others = [pose for pose in map(poses.pose, poses.names()) if pose != fighters[index].pose]
    fighters[index] = replace(fighters[index], pose=others[int(rng.integers(len(others)))])
    return replace(staging, fighters=tuple(fighters))


def without_one(staging: Staging, rng: np.random.Generator) -> Staging:
    """Return *staging* without one of its fighters."""
    gone = int(rng.integers(len(staging.fighters)))
    return replace(staging, fighters=tuple(f for index, f in enumerate(staging.fighters) if index != gone))


def with_third(staging: Staging, rng: np.random.Generator) -> Staging:
    """Return *staging* with a third fighter beside the two, out of their way but before the camera."""
    first, second = staging.fighters
    middle = np.add(first.position, second.position) / 2.0
    away = np.array([staging.camera.position[0], staging.camera.position[2]]) - middle
    side = np.array([away[1], -away[0]]) / max(float(np.linalg.norm(away)), 1e-6)
    place = middle + side * float(rng.choice([-1.0, 1.0])) * rng.uniform(0.9, 1.2) - away * 0.06
    guest = PlacedFighter(
        "guest", "red", NEUTRAL, "orthodox", poses.pose("rest"), (float(place[0]), float(place[1])),
        math.degrees(math.atan2(away[0], away[1])) + rng.uniform(-30.0, 30.0),
    )  # fmt: skip
    return replace(staging, fighters=(*staging.fighters, guest))


def with_looks_swapped(staging: Staging) -> Staging:
    """Return *staging* with each fighter in the other's colours, skin and hair included."""
    first, second = staging.fighters
    return replace(staging, fighters=(replace(first, look=second.look), replace(second, look=first.look)))


def with_one_drifted(staging: Staging, rng: np.random.Generator) -> tuple[Staging, float]:
    """Return *staging* with one fighter's trunks and gloves in a colour that nobody wears, and how far it is from his.

    How far is the distance in a* and b* over the stronger chroma of the two, of his trunks: about 1 where the hue is
    60° off or the colour is lost, 2 where it is the opposite.
    """
    index = int(rng.integers(len(staging.fighters)))
    look = staging.fighters[index].look
    worn = {one.look.trunks for one in staging.fighters} | {one.look.gloves for one in staging.fighters}
    colour = COLOURS[_one(rng, tuple(name for name in DRIFTED if COLOURS[name] not in worn))]
    own, other = lab(look.trunks)[1:], lab(colour)[1:]
    far = float(np.linalg.norm(own - other)) / max(float(np.linalg.norm(own)), float(np.linalg.norm(other)), 1.0)
    fighters = list(staging.fighters)
    fighters[index] = replace(fighters[index], look=replace(look, trunks=colour, gloves=colour))
    return replace(staging, fighters=tuple(fighters)), far


def _fighter(rng: np.random.Generator, corner: Corner) -> PlacedFighter:
    trunks = _one(rng, TRUNKS[corner])
    gloves = trunks if rng.random() < 0.6 else _one(rng, TRUNKS[corner])
    colours = (_one(rng, SKINS), trunks, gloves, _one(rng, ("black", "white", "charcoal")), _one(rng, HAIRS))
    stance: Stance = "southpaw" if rng.random() < 0.3 else "orthodox"
    look = Look(*(COLOURS[name] for name in colours))
    return PlacedFighter(corner, corner, look, stance, poses.pose(_one(rng, poses.names())), (0.0, 0.0), 0.0)


def _faced(red: PlacedFighter, blue: PlacedFighter, rng: np.random.Generator) -> tuple[PlacedFighter, PlacedFighter]:
    """Put the two opposite each other, somewhere near the middle of the ring."""
    apart, turn = rng.uniform(1.0, 1.5), math.radians(rng.uniform(-35.0, 35.0))
    across = np.array([math.cos(turn), math.sin(turn)]) * apart / 2.0
    middle = rng.uniform(-0.6, 0.6, 2)
    facing = math.degrees(math.atan2(across[0], across[1]))
    left, right = middle - across, middle + across
    return (
        replace(red, position=(float(left[0]), float(left[1])), facing_degrees=facing),
        replace(blue, position=(float(right[0]), float(right[1])), facing_degrees=facing + 180.0),
    )


def _one(rng: np.random.Generator, names: tuple[str, ...] | list[str]) -> str:
    return names[int(rng.integers(len(names)))]

"""Stagings with and without planted mistakes, for measuring the checks that look at people.

A case is found by its seed alone: poses, camera, light, stances and colours are drawn from it, and so are the mistakes
planted in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from undercard.domain.colours import COLOURS
from undercard.domain.staging import Aim, Look, PlacedFighter, Staging, Vec2
from undercard.previz import cameras, lights, poses
from undercard.previz.sight import sighted
from undercard.shotlist.direction import CORNER_LOOK

Defect: TypeAlias = Literal["good", "wrong pose", "mirrored pose", "missing", "third", "swapped"]
DEFECTS: tuple[Defect, ...] = ("wrong pose", "mirrored pose", "missing", "third", "swapped")

SIZE = (1024, 576)
TRUNKS = ("crimson", "red", "royal_blue", "blue", "gold", "green", "white", "black", "purple", "teal", "orange", "navy")
SKINS = ("fair", "umber")
UPRIGHT = ("guard", "bounce_up", "bounce_down", "open_guard", "rest", "walk_lead", "walk_rear", "coil", "touch")
ANSWERS = ("guard", "slip_left", "slip_right", "duck", "lean_back", "block", "hurt", "stagger", "winded", "open_guard")
PUNCHES = tuple(name for name in poses.names() if poses.strike(name))
FLOOR = ("down", "sit_up", "knockdown", "count")
ALONE = ("victory", "raised", "rest", "bow", "walk_lead", "walk_pass_rear", "guard", "winded", "jab", "cross")
LEAST_DEFECTS = 3
"""Mistakes that are planted in every case."""


@dataclass(frozen=True, slots=True)
class Case:
    """One picture to draw, and what the shot list asked for."""

    name: str
    defect: Defect
    asked: Staging
    drawn: Staging
    about: int | None
    """Index in `asked` of the fighter that the mistake is made with; None for both or for nobody asked for."""


def cases(seed: int, size: tuple[int, int] = SIZE) -> Iterator[Case]:
    """Yield the good case of *seed*, then the mistakes planted in it; those that it has no room for are left out."""
    rng = np.random.default_rng(seed)
    asked = _staging(rng, cameras.names()[seed % len(cameras.names())])
    yield Case(f"{seed:04d}-good", "good", asked, asked, None)
    turn = seed % len(DEFECTS)
    for defect in (DEFECTS[(turn + step) % len(DEFECTS)] for step in range(LEAST_DEFECTS)):
        planted = _planted(rng, defect, asked, size)
        if planted is not None:
            drawn, about = planted
            yield Case(f"{seed:04d}-{defect.replace(' ', '-')}", defect, asked, drawn, about)


def _staging(rng: np.random.Generator, camera: str) -> Staging:
    situation = str(rng.choice(["exchange", "apart", "floor", "alone", "clinch"], p=[0.47, 0.22, 0.12, 0.12, 0.07]))
    first, second, gap = {
        "exchange": (PUNCHES, ANSWERS, rng.uniform(0.85, 1.25)),
        "apart": (UPRIGHT, UPRIGHT, rng.uniform(1.4, 2.6)),
        "floor": (("guard", "rest", "victory", "walk_lead"), FLOOR, rng.uniform(1.4, 2.2)),
        "alone": (ALONE, (), 0.0),
        "clinch": (("clinch",), ("clinch",), 0.55),
    }[situation]
    angle = rng.uniform(-0.5, 0.5)
    reach = np.array([np.cos(angle), np.sin(angle)]) * gap / 2
    red, blue = _looks(rng)
    fighters = [_fighter(rng, "Quill", "red", red, str(rng.choice(first)), -reach, reach)]
    if second:
        fighters.append(_fighter(rng, "Bell", "blue", blue, str(rng.choice(second)), reach, -reach))
    subject = fighters[int(rng.integers(len(fighters)))].name
    spot = cameras.camera(camera, fighters, subject=subject)
    return Staging(spot, tuple(fighters), str(rng.choice(lights.names())))


def _looks(rng: np.random.Generator) -> tuple[Look, Look]:
    """Return the corners' own colours as often as not, else any."""
    if rng.random() < 0.5:
        return CORNER_LOOK["red"], CORNER_LOOK["blue"]

    def drawn(skin: str) -> Look:
        trunks, gloves = (COLOURS[str(rng.choice(TRUNKS))] for _ in range(2))
        return Look(COLOURS[skin], trunks, gloves, COLOURS["black"], COLOURS["black"])

    return drawn(str(rng.choice(SKINS))), drawn(str(rng.choice(SKINS)))


def _fighter(
    rng: np.random.Generator,
    name: str,
    corner: Literal["red", "blue"],
    look: Look,
    pose: str,
    place: np.ndarray,
    toward: np.ndarray,
) -> PlacedFighter:
    off = toward - place
    facing = float(np.degrees(np.arctan2(off[0], off[1]))) if off.any() else float(rng.uniform(0, 360))
    strike, target = poses.strike(pose), poses.target(pose)
    aim = Aim(body=1.0) if target == "body" else Aim(head=1.0)
    position: Vec2 = (float(place[0]), float(place[1]))
    return PlacedFighter(
        name=name,
        corner=corner,
        look=look,
        stance="southpaw" if rng.random() < 0.35 else "orthodox",
        pose=poses.pose(pose),
        position=position,
        facing_degrees=facing + float(rng.normal(0.0, 6.0)),
        lead_aim=aim if strike == "lead" and off.any() else Aim(),
        rear_aim=aim if strike == "rear" and off.any() else Aim(),
    )


def _planted(
    rng: np.random.Generator, defect: Defect, asked: Staging, size: tuple[int, int]
) -> tuple[Staging, int | None] | None:
    """Return the staging with the mistake, and whom it concerns; None where it cannot be made."""
    fighters = list(asked.fighters)
    known = {sighting.name for sighting in sighted(asked, size) if sighting.recognisable}
    seen = [index for index, fighter in enumerate(fighters) if fighter.name in known]
    if not seen:
        return None
    about = int(rng.choice(seen))
    one = fighters[about]
    if defect == "wrong pose":
        others = [name for name in poses.names() if poses.pose(name) != one.pose]
        fighters[about] = replace(one, pose=poses.pose(str(rng.choice(others))), lead_aim=Aim(), rear_aim=Aim())
    elif defect == "mirrored pose":
        fighters[about] = replace(one, stance="orthodox" if one.stance == "southpaw" else "southpaw")
    elif defect == "missing":
        if len(fighters) == 1:
            return None
        del fighters[about]
    elif defect == "third":
        fighters.append(_stranger(rng, fighters))
        shown = replace(asked, fighters=tuple(fighters))
        recognisable = {sighting.name for sighting in sighted(shown, size) if sighting.recognisable}
        return (shown, None) if fighters[-1].name in recognisable else None
    elif defect == "swapped":
        if len(fighters) == 1:
            return None
        first, second = fighters
        fighters = [
            replace(first, look=second.look, corner=second.corner),
            replace(second, look=first.look, corner=first.corner),
        ]
        return replace(asked, fighters=tuple(fighters)), None
    return replace(asked, fighters=tuple(fighters)), about


def _stranger(rng: np.random.Generator, fighters: list[PlacedFighter]) -> PlacedFighter:
    """Return one more fighter, beside the line between the others."""
    middle = np.mean([fighter.position for fighter in fighters], axis=0)
    side = float(rng.choice([-1.0, 1.0]))
    place = middle + np.array([rng.uniform(-0.9, 0.9), side * rng.uniform(0.6, 1.3)])
    corner: Literal["red", "blue"] = "red" if rng.random() < 0.5 else "blue"
    return _fighter(rng, "Stranger", corner, CORNER_LOOK[corner], str(rng.choice(UPRIGHT)), place, middle)

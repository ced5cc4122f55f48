"""Which colours are a fighter's own where a control image shows him: his skin, gloves and boots, as they are lit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from undercard.domain.staging import Look
from undercard.gate.vision.adherence import Flags
from undercard.gate.vision.colour import FOREARMS, lab, levels
from undercard.gate.vision.networks import Floats
from undercard.gate.vision.novelty import LIGHTNESS, weighed
from undercard.gate.vision.pose import Pixels

ARMS = ((5, 7), (6, 8), (7, 9), (8, 10))
SHINS = ((13, 15), (14, 16))
"""Joint by joint; what is between hips and knees is in trunks."""
TRUNK = ((11, 13), (12, 14), (5, 6), (11, 12), (5, 11), (6, 12), (0, 5), (0, 6))
ENDS = (0, 9, 10, 15, 16)
"""Head, hands and feet, which are larger than their joints."""
ANKLES = (15, 16)
ON_BONE = (0.15, 0.35, 0.65, 0.85)
ON_SKIN = 0.7
"""Share of the way from elbow to wrist from which on it is tape."""
ON_GLOVE = (1.1, 1.25, 1.4)
"""Shares of that way."""
PALER = (1.0, 0.6)
"""Share of the colour of leather that is seen: highlights take some."""
THICK, LARGER = 0.2, 0.7
"""Heights of a fighter: width of a limb with some room, and radius of what is at its end over that."""
ALIKE = 6.0
"""Distance, CIE L*a*b* as `novelty` weighs them, of colours that are the same."""
COMMON = 0.1
"""Share of the surroundings that has one of his colours, where that says nothing: white boots on the canvas."""
EVERY, LEAST_AROUND = 7, 20
"""Pixel of the surroundings that has a say, and how many there have to be."""
GAMMA = 2.2


def own_colours(control: Pixels, xy: Floats, seen: Flags, look: Look | None, beside: Flags) -> Floats:
    """Return colours that are his and not those of his surroundings, as `novelty.weighed` has them, shape (n, 3).

    Args:
        control: where he is, shape (height, width, 3).
        xy: his joints in it, px, shape (17, 2).
        seen: which of them can be seen, shape (17,).
        look: what he wears. Gloves that something hides have the light of his arms.
        beside: where nobody is, shape (height, width).
    """
    known = weighed(control)
    arms = _along(xy, seen, ARMS)
    gloves = [xy[a] + (xy[b] - xy[a]) * share for a, b in FOREARMS if seen[b] for share in ON_GLOVE]
    feet = [xy[ankle] for ankle in ANKLES if seen[ankle]]
    found = _patches(known, [*(at for at, _ in arms), *(at for at, _ in _along(xy, seen, SHINS)), *gloves, *feet])
    if look is not None:
        lit = _patches(control.astype(np.float32), [at for at, bare in arms if bare])
        found = np.concatenate([found, _as_lit(look, lit)])
    around = known[beside][::EVERY]
    if len(around) >= LEAST_AROUND and len(found):
        shares = (np.linalg.norm(around[:, None] - found, axis=2) < ALIKE).mean(axis=0)
        found = found[shares < COMMON]
    return found


def beside_all(size: tuple[int, int], bodies: Sequence[tuple[Floats, float]]) -> Flags:
    """Return where nobody is in a picture of *size* (width, height) px, by everybody's joints and height, px."""
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    for xy, height in bodies:
        places = [(float(x), float(y)) for x, y in xy]
        thick = max(1, int(THICK * height))
        for a, b in (*ARMS, *SHINS, *TRUNK):
            draw.line([places[a], places[b]], fill=0, width=thick)
        for end in ENDS:
            draw.circle(places[end], LARGER * thick, fill=0)
    return np.asarray(image) > 0


def _along(xy: Floats, seen: Flags, bones: Sequence[tuple[int, int]]) -> list[tuple[Floats, bool]]:
    """Return places on *bones* of whose nearer end is seen, and whether skin is sure to be bare there."""
    return [
        (xy[a] + (xy[b] - xy[a]) * share, share < ON_SKIN)
        for a, b in bones
        for share in ON_BONE
        if seen[a if share < ON_BONE[2] else b]
    ]


def _patches(values: Floats, places: Sequence[Floats]) -> Floats:
    """Return the median of the 3 × 3 px about each of *places* that is in the picture, shape (n, 3)."""
    height, width = values.shape[:2]
    at = np.array(places, np.float64).reshape(-1, 2).astype(int)
    at = at[(at >= 0).all(axis=1) & (at < (width, height)).all(axis=1)]
    down, across = np.mgrid[-1:2, -1:2].reshape(2, -1)
    rows = np.clip(at[:, 1:] + down, 0, height - 1)
    columns = np.clip(at[:, :1] + across, 0, width - 1)
    return np.asarray(np.median(values[rows, columns], axis=1), np.float32).reshape(-1, 3)


def _as_lit(look: Look, lit: Floats) -> Floats:
    """Return the colours of his gloves in the light that his skin has where it is seen as *lit*, shape (n, 3)."""
    skin, gloves = ((levels(each) / 255.0) ** GAMMA for each in (look.skin, look.gloves))
    light = (lit / 255.0) ** GAMMA / np.maximum(skin, 0.01)
    shown = (np.clip(gloves * light, 0.0, 1.0) ** (1.0 / GAMMA) * 255.0).astype(np.float32)
    coloured = [lab(shown) * (LIGHTNESS, share, share) for share in PALER]
    return np.concatenate(coloured).astype(np.float32).reshape(-1, 3)

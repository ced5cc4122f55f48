"""What is in a picture that is not in the one it was drawn from: colours that are nowhere near there.

A model moves edges by a few pixels, and gives everything other tones and other light. All that is allowed for: the
picture is brought to the control image's tones, places and light, and a colour counts as new only where it leaves the
range of the colours round about.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from undercard.gate.vision.colour import lab
from undercard.gate.vision.networks import Floats
from undercard.gate.vision.pose import Pixels

Tones: TypeAlias = NDArray[np.float64]
"""Shape (10, 3): how levels of one picture become those of another; see `tones`."""

LIGHTNESS = 0.4
"""Weight of L* beside a* and b*: light and shade change more than colours do."""
SHADE = 16
"""Levels of a channel that are one shade. Each shade of the control image has a say by the root of its area, so that
the canvas does not outvote the fighters."""
ROUNDS = 4
"""Of fitting, each with less weight on what did not fit before."""
LEAST_MISFIT = 0.02
"""Share of full scale: about the grain."""
HELD_BACK = 1e-4
"""How strongly tones stay as they are where the pictures do not say otherwise (ridge regression)."""
MOST_LIGHT = 1.4
"""How much lighter or darker a place may be made."""
LEAST_SIDE = 32
"""Pixels of a picture whose motion can be found."""


def tones(pixels: Pixels, control: Pixels) -> Tones:
    """Return how the tones of *pixels* become those of *control*, which shows the same; both (height, width, 3).

    A quadratic in the three channels, fitted to all pixels by weighted least squares; of the polynomials that colours
    are corrected by (Finlayson, Mackiewicz and Hurlbert, IEEE Transactions on Image Processing 24, 2015) the lowest
    with cross terms.
    """
    aim = control.reshape(-1, 3) / 255.0
    terms = _terms(pixels.reshape(-1, 3) / 255.0)
    shades = (control.reshape(-1, 3) // SHADE).astype(np.int64) @ np.array([256, 16, 1])
    weights = 1.0 / np.sqrt(np.bincount(shades)[shades])
    trust = weights
    found = kept = np.concatenate([np.zeros((1, 3)), np.eye(3), np.zeros((6, 3))])
    for _ in range(ROUNDS):
        held = HELD_BACK * trust.sum()
        trusted = terms * trust[:, None]
        found = np.linalg.solve(terms.T @ trusted + held * np.eye(10), trusted.T @ aim + held * kept)
        misfit = np.abs(terms @ found - aim).max(axis=1)
        # Cauchy's weights: what is new in the picture has next to none in the end.
        trust = weights / (1.0 + (misfit / max(2.0 * float(np.median(misfit)), LEAST_MISFIT)) ** 2)
    return found


def toned(pixels: Pixels, change: Tones) -> Pixels:
    """Return *pixels* in the tones that *change* leads to."""
    levels = np.clip(_terms(pixels.reshape(-1, 3) / 255.0) @ change, 0.0, 1.0)
    return np.asarray(np.rint(levels.reshape(pixels.shape) * 255.0), np.uint8)


def aligned(pixels: Pixels, control: Pixels, most: float, even: int) -> Pixels:
    """Return *pixels* with everything where *control* has it, as far as that moves large parts alike.

    Dense inverse search (Kroeger et al., ECCV 2016), cut off at *most* px and evened out over *even* px, so that no
    limb becomes another one.
    """
    import cv2

    if min(pixels.shape[:2]) < LEAST_SIDE:
        return pixels
    # Its patches look to their neighbours in the same stripe, and there is a stripe a thread.
    cv2.setNumThreads(1)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    first, last = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (control, pixels))
    way = np.clip(np.asarray(search.calc(first, last, np.empty(0)), np.float32), -most, most)
    way = np.asarray(cv2.blur(way, (even, even)), np.float32)
    y, x = np.mgrid[0 : way.shape[0], 0 : way.shape[1]].astype(np.float32)
    moved = cv2.remap(pixels, x + way[..., 0], y + way[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def new_colours(pixels: Pixels, control: Pixels, reach: int, around: int) -> tuple[Floats, Floats]:
    """Return how new each pixel's colour is, and the colours, under the light of *control*.

    Args:
        pixels: shape (height, width, 3), in the tones of *control*.
        control: of the same shape.
        reach: px by which edges may lie elsewhere.
        around: side of the square over which light is evened out, px.

    Returns:
        Distance from the range of the colours of *control* within *reach*, CIE L*a*b* as `weighed` has it, shape
        (height, width); and the colours in these coordinates, shape (height, width, 3).
    """
    import cv2

    greys = [cv2.blur(each.mean(axis=2), (around, around)) + 3.0 for each in (control, pixels)]
    light = np.clip(greys[0] / greys[1], 1.0 / MOST_LIGHT, MOST_LIGHT)[..., None]
    found, known = weighed(np.clip(pixels * light, 0.0, 255.0).astype(np.float32)), weighed(control)
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    beyond = found - np.clip(found, cv2.erode(known, square), cv2.dilate(known, square))
    return np.linalg.norm(beyond, axis=2), found


def unexplained(
    marked: NDArray[np.bool_], found: Floats, known: Floats, margin: int, least: float
) -> NDArray[np.bool_]:
    """Return *marked* without the pieces that other tones just there explain: hair that burns in the light is not new.

    Of each piece and *margin* px round about, the best change of all three coordinates that is linear in them is fitted
    to the pictures; what is new remains *least* off by half of its pixels, since what is round about it has changed
    otherwise.

    Args:
        marked: shape (height, width).
        found: colours of the picture, as `weighed` has them, shape (height, width, 3).
        known: those of its control image.
        margin: px.
        least: distance.
    """
    import cv2

    many, labels, boxes, _ = cv2.connectedComponentsWithStats(marked.astype(np.uint8))
    kept = marked.copy()
    for piece in range(1, many):
        left, top, width, height = (int(value) for value in boxes[piece][:4])
        part = np.s_[max(0, top - margin) : top + height + margin, max(0, left - margin) : left + width + margin]
        mine = labels[part] == piece
        before = known[part].reshape(-1, 3)
        terms = np.concatenate([before, np.ones((len(before), 1), np.float32)], axis=1)
        change = np.linalg.lstsq(terms, found[part].reshape(-1, 3), rcond=None)[0]
        off = np.linalg.norm(found[part].reshape(-1, 3) - terms @ change, axis=1)[mine.ravel()]
        if np.median(off) < least:
            kept[part][mine] = False
    return kept


def opened(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return *marked*, shape (height, width), without what is thinner than 3 px, as edges are that have moved."""
    import cv2

    return cv2.morphologyEx(marked.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0


def weighed(levels: Pixels | Floats) -> Floats:
    """Return sRGB levels, shape (…, 3), as CIE L*a*b* with L* by LIGHTNESS: distances are Euclidean."""
    return (lab(levels) * (LIGHTNESS, 1.0, 1.0)).astype(np.float32)


def _terms(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the terms of the quadratic, shape (n, 10), of *levels*, 0…1, shape (n, 3)."""
    red, green, blue = levels.T
    return np.stack(
        [np.ones_like(red), red, green, blue, red**2, green**2, blue**2, red * green, green * blue, red * blue], axis=1
    )

"""Reels: clips of a video model between two stills, and what they show at any moment between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undercard.domain.requests import Size
from undercard.errors import BadInput
from undercard.film.base.pixels import Pixels
from undercard.film.base.stills import fitted, open_still
from undercard.film.motion.flow import flow as optical_flow

COLUMNS, ROWS = 4, 3
"""Of the grid on which the light of a clip is brought to that of its stills: coarse, so that no shape goes along."""
MOST = 16.0
"""Code values by which it is moved at most. Video models drift in colour by a few; what differs more is another
picture."""


@dataclass(frozen=True, slots=True)
class Reel:
    """The frames of a clip, evenly spread over the time between two stills.

    Raises:
        BadInput: there are fewer than two.
    """

    frames: tuple[Path, ...]
    """The first falls on the still before, the last on the still after."""

    def __post_init__(self) -> None:
        if len(self.frames) < 2:
            raise BadInput(f"a clip of {len(self.frames)} frames has no beginning and end; make it again")


def running(reel: Reel, first: Pixels, last: Pixels, size: Size) -> Callable[[float], Pixels]:
    """Return what gives the picture of *reel* at any share of the time from its first frame to its last, 0…1.

    Between two of its frames what both show is moved (`flow`), so that a clip of 16 frames a second glides at 24 and
    no frame repeats. Its light passes evenly from that of *first* to that of *last*, so that neither still pops.

    Args:
        reel: the clip.
        first: the still that it begins with: uint8, shape (height, width, 3).
        last: the still that it ends with.
        size: of the film, (width, height).
    """
    steps = len(reel.frames) - 1
    raw = lru_cache(maxsize=2)(lambda index: fitted(open_still(reel.frames[index]), size))
    before, after = _light(first) - _light(raw(0)), _light(last) - _light(raw(steps))

    @lru_cache(maxsize=3)
    def lit(index: int) -> Pixels:
        share = index / steps
        return _moved(raw(index), np.clip((1 - share) * before + share * after, -MOST, MOST))

    between = lru_cache(maxsize=1)(lambda index: optical_flow(lit(index), lit(index + 1)))

    def at(share: float) -> Pixels:
        place = min(max(share, 0.0), 1.0) * steps
        index = min(int(place), steps - 1)
        part = place - index
        # Fractions of frames are exact, their shares in floating point nearly so.
        if part < 1e-6 or part > 1 - 1e-6:
            return lit(round(place))
        return between(index).at(part)

    return at


def _light(picture: Pixels) -> NDArray[np.float32]:
    """Return the mean colour of each cell of the grid: shape (ROWS, COLUMNS, 3)."""
    import cv2

    return np.asarray(cv2.resize(picture.astype(np.float32), (COLUMNS, ROWS), interpolation=cv2.INTER_AREA), np.float32)


def _moved(picture: Pixels, light: NDArray[np.float32]) -> Pixels:
    import cv2

    if not np.abs(light).max() >= 0.5:
        return picture
    size = (picture.shape[1], picture.shape[0])
    smooth = cv2.resize(light.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(np.rint(picture + smooth), 0, 255), np.uint8)

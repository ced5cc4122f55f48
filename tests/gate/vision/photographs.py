"""The photographs that tests look at; tests/data/photographs/NOTICE.md says where they are from."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from tests.paths import DATA
from undercard.gate.vision.pose import Pixels

_FOLDER = DATA / "photographs"


@cache
def photograph(name: str) -> Pixels:
    """Return the photograph called *name*."""
    with Image.open(_FOLDER / f"{name}.jpg") as image:
        return np.asarray(image.convert("RGB"))


def side_by_side(left: str, right: str) -> Pixels:
    """Return two photographs in one picture, black below the lower one."""
    pictures = photograph(left), photograph(right)
    height = max(len(picture) for picture in pictures)
    return np.hstack([np.pad(picture, ((0, height - len(picture)), (0, 0), (0, 0))) for picture in pictures])

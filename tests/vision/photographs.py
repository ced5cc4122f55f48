"""The photographs that tests look at; tests/data/photographs/NOTICE.md says where they are from."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from undercard.gate.vision.pose import Pixels

_FOLDER = Path(__file__).parents[1] / "data" / "photographs"


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

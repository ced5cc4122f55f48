"""Pictures as the film's code passes them on."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""RGB, shape (height, width, 3). Frames that look alike may be one and the same array: never write into one."""


def mix(a: Pixels, b: Pixels, t: float) -> Pixels:
    """Return the picture *t* of the way from *a* to *b*; 0 is *a*, 1 is *b*.

    Mixed in the encoded values, as ffmpeg's `xfade=fade` and a mixing desk do: in linear light the brighter picture
    would take over long before the middle.
    """
    blend = a.astype(np.float32)
    blend += (b.astype(np.float32) - blend) * np.float32(t)
    return np.rint(blend).astype(np.uint8)

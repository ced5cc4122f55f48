"""The animated preview: a picture of each shot, one after the other, for a page or a chat."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from undercard.domain.requests import Size
from undercard.film.base.stills import fitted, open_still

LONGEST = 480
"""Of its longer side, px."""
MOST_PICTURES = 40
"""Ten seconds; of a film with more shots it shows as many, evenly spread."""
PICTURE_MS = 250
MOST_BYTES = 2_000_000
QUALITIES = (75, 25, 5)
"""Of WebP; the first that is small enough is taken, and the last is for noise alone."""


def animated(stills: Sequence[Path], size: Size) -> bytes:
    """Return *stills*, each of a shot of a film of *size*, as an animated WebP of at most `MOST_BYTES`.

    Raises:
        UnreadableImage: one cannot be decoded.
    """
    count = min(len(stills), MOST_PICTURES)
    scale = min(1.0, LONGEST / max(size))
    shown = round(size[0] * scale), round(size[1] * scale)
    pictures = np.stack([fitted(open_still(stills[index * len(stills) // count]), shown) for index in range(count)])
    encoded = b""
    for quality in QUALITIES:
        encoded = iio.imwrite(
            "<bytes>", pictures, extension=".webp", plugin="pillow", duration=PICTURE_MS, loop=0, quality=quality
        )
        if len(encoded) <= MOST_BYTES:
            break
    return encoded

"""The median, where it is most of a check's time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def middle(values: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the median of *values* along the last axis, as numpy does.

    numpy's own looks for both of the two in the middle, which takes several times as long as looking for one of them.
    """
    half = values.shape[-1] // 2
    parted = np.partition(values, half, axis=-1)
    upper = parted[..., half].astype(np.float64)
    return upper if values.shape[-1] % 2 else (upper + parted[..., :half].max(axis=-1)) / 2.0

"""Eight-bit floats (e4m3fn, largest value 448) with a float32 scale per output row.

A file whose layers have one scale each is the same format with that scale repeated for every row: `row_scale`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from undercard.engine.formats._per_row import PerRow
from undercard.errors import BadCheckpoint


def row_scale(scale: Tensor, rows: int) -> Tensor:
    """Return *scale* as float32 (rows): one number for a whole layer, or (rows) or (rows, 1) of them.

    Raises:
        BadCheckpoint: it is neither.
    """
    if scale.numel() != 1 and tuple(scale.shape) not in {(rows,), (rows, 1)}:
        raise BadCheckpoint(
            f"fp8: a scale of {tuple(scale.shape)} fits no layer of {rows} rows; it has one number or one per row"
        )
    return scale.float().reshape(-1).expand(rows).contiguous()


FORMATS = (PerRow("fp8", torch.float8_e4m3fn, 448.0),)

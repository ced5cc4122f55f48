"""Eight-bit integers, symmetric, with a float32 scale per output row of largest magnitude / 127."""

from __future__ import annotations

import torch

from undercard.engine.formats._per_row import PerRow

FORMATS = (PerRow("int8", torch.int8, 127.0),)

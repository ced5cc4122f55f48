"""Weights as they are: bfloat16, two bytes each."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from undercard.engine.formats import Part, Shape
from undercard.engine.formats._checks import check_columns, check_parts, checked_weight


class Bf16:
    """The identity."""

    name = "bf16"

    def parts(self, shape: Shape) -> dict[str, Part]:
        """Return one part, the weight itself."""
        check_columns(self.name, shape, 1)
        return {"weight": (shape, torch.bfloat16)}

    def encode(self, weight: Tensor) -> dict[str, Tensor]:
        """Return *weight*, contiguous."""
        checked_weight(self, weight)
        return {"weight": weight.contiguous()}

    def decode(self, parts: Mapping[str, Tensor], out: Tensor) -> None:
        """Copy the weight."""
        check_parts(self, parts, out)
        out.copy_(parts["weight"])


FORMATS = (Bf16(),)

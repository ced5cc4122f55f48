"""ggml's blocks as they lie in a GGUF file: one byte string per group of 32 or 256 weights of a row.

Layouts and arithmetic are those of ggml's `ggml-common.h` and `dequantize_row_*`; every product of scale and code is
exact in float32, so only the sum with a minimum rounds. Files are made by llama.cpp's tools, which weigh errors in ways
that are not repeated here: `encode` serves the types without such choices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from undercard.engine.formats import Part, Shape
from undercard.engine.formats import _ggml as ggml
from undercard.engine.formats._checks import check_columns, check_parts, checked_weight, row_slices
from undercard.engine.formats._device import kernels_for
from undercard.errors import BadInput


@dataclass(frozen=True, slots=True)
class Ggml:
    """One of ggml's types."""

    type_name: str
    """As ggml calls it: `Q4_K`."""
    block_weights: int
    block_bytes: int
    decode_blocks: Callable[[Tensor], Tensor]
    """From uint8 (blocks, block_bytes) to float (blocks, block_weights)."""

    @property
    def name(self) -> str:
        """`gguf-q4-k`."""
        return f"gguf-{self.type_name.lower().replace('_', '-')}"

    @property
    def plain(self) -> bool:
        """Each weight stands for itself: a float of some width."""
        return self.block_weights == 1

    def parts(self, shape: Shape) -> dict[str, Part]:
        """Return one part, the blocks of every row: uint8 (N, K / block_weights · block_bytes)."""
        check_columns(self.name, shape, self.block_weights)
        rows, columns = shape
        return {"blocks": ((rows, columns // self.block_weights * self.block_bytes), torch.uint8)}

    def encode(self, weight: Tensor) -> dict[str, Tensor]:
        """Return the blocks that gguf-py makes of *weight*.

        Raises:
            BadInput: a K-quant, which gguf-py can only read.
        """
        checked_weight(self, weight)
        from gguf import GGMLQuantizationType
        from gguf.quants import quantize

        try:
            blocks = quantize(weight.float().numpy(force=True), GGMLQuantizationType[self.type_name])
        except NotImplementedError as reason:
            raise BadInput(f"{self.name}: only read, never written; make the file with llama-quantize") from reason
        return {"blocks": torch.from_numpy(blocks).view(torch.uint8).to(weight.device)}

    def decode(self, parts: Mapping[str, Tensor], out: Tensor) -> None:
        """Decode the blocks."""
        check_parts(self, parts, out)
        blocks = parts["blocks"]
        kernels = None if self.plain else kernels_for(out)
        if kernels:
            kernels.ggml(self.type_name, blocks, out)
            return
        shape = out.shape[0], out.shape[1]
        for rows in [slice(None)] if self.plain else row_slices(shape):
            out[rows] = self.decode_blocks(blocks[rows].reshape(-1, self.block_bytes)).view(out[rows].shape)


FORMATS = (
    Ggml("F32", 1, 4, ggml.f32),
    Ggml("F16", 1, 2, ggml.f16),
    Ggml("BF16", 1, 2, ggml.bf16),
    Ggml("Q8_0", 32, 34, ggml.q8_0),
    Ggml("Q4_0", 32, 18, ggml.q4_0),
    Ggml("Q4_1", 32, 20, ggml.q4_1),
    Ggml("Q5_0", 32, 22, ggml.q5_0),
    Ggml("Q5_1", 32, 24, ggml.q5_1),
    Ggml("Q2_K", 256, 84, ggml.q2_k),
    Ggml("Q3_K", 256, 110, ggml.q3_k),
    Ggml("Q4_K", 256, 144, ggml.q4_k),
    Ggml("Q5_K", 256, 176, ggml.q5_k),
    Ggml("Q6_K", 256, 210, ggml.q6_k),
)

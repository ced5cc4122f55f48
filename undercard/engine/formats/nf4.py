"""NF4: four bits a weight, the quantiles of a normal distribution, scaled by the magnitude of each block of 64.

The code book is that of QLoRA (Dettmers et al. 2023, arXiv:2305.14314, appendix E), which bitsandbytes stores too: 16
quantiles of N(0, 1) divided by the greatest, with an exact zero. Bytes lie as bitsandbytes packs them, the first of two
weights in the high nibble, so its files are read by copying.

The magnitude of a block of bfloat16 weights is one of them, so bfloat16 holds it exactly and saves a quarter of a bit
per weight over the float32 that bitsandbytes keeps.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from undercard.engine.formats import Part, Shape
from undercard.engine.formats._checks import check_columns, check_parts, checked_weight, row_slices
from undercard.engine.formats._device import kernels_for

BLOCK = 64
CODE_BOOK = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)


class Nf4:
    """Two weights a byte, one magnitude every 64."""

    name = "nf4"

    def parts(self, shape: Shape) -> dict[str, Part]:
        """Return the codes (N, K/2), first weight in the high nibble, and the magnitude of each block (N, K/64)."""
        check_columns(self.name, shape, BLOCK)
        rows, columns = shape
        return {
            "codes": ((rows, columns // 2), torch.uint8),
            "absmax": ((rows, columns // BLOCK), torch.bfloat16),
        }

    def encode(self, weight: Tensor) -> dict[str, Tensor]:
        """Return the codes nearest to *weight*, and the magnitudes."""
        rows, columns = checked_weight(self, weight)
        absmax = weight.reshape(rows, -1, BLOCK).abs().amax(dim=2)
        book = torch.tensor(CODE_BOOK, device=weight.device)
        midpoints = (book[1:] + book[:-1]) / 2
        codes = torch.empty((rows, columns // 2), dtype=torch.uint8, device=weight.device)
        for chunk in row_slices((rows, columns)):
            magnitude = absmax[chunk, :, None].float()
            blocks = weight[chunk].reshape(-1, columns // BLOCK, BLOCK).float()
            scaled = blocks / torch.where(magnitude > 0, magnitude, 1.0)
            nearest = torch.bucketize(scaled, midpoints, out_int32=True).to(torch.uint8).flatten(1)
            codes[chunk] = nearest[:, 0::2] << 4 | nearest[:, 1::2]
        return {"codes": codes, "absmax": absmax}

    def decode(self, parts: Mapping[str, Tensor], out: Tensor) -> None:
        """Look every code up and multiply it by its block's magnitude."""
        check_parts(self, parts, out)
        codes, absmax = parts["codes"], parts["absmax"]
        book = _code_book(out.device)
        if kernels := kernels_for(out):
            kernels.nf4(codes, absmax, book, out)
            return
        for chunk in row_slices((out.shape[0], out.shape[1])):
            pairs = torch.stack((codes[chunk] >> 4, codes[chunk] & 15), dim=2)
            values = book[pairs.view(len(pairs), -1, BLOCK).int()]
            out[chunk] = values.mul_(absmax[chunk, :, None].float()).flatten(1)


def _code_book(device: torch.device) -> Tensor:
    """Return the code book, float32 (16), on *device*."""
    book = _books.get(device)
    if book is None:
        book = _books[device] = torch.tensor(CODE_BOOK, device=device)
    return book


# A copy to the device for every weight would wait for everything queued there.
_books: dict[torch.device, Tensor] = {}

FORMATS = (Nf4(),)

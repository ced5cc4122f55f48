"""Running a chain of convolutions tile by tile with halos of exactly its receptive field, so that no seam can show.

All of this counts rows or columns, the two axes alike. A layer answers a span of its output from a span of its input:

    3×3 convolutions, c of them      [a, b) ← [a - c, b + c)
    nearest ×2, then 3×3             [a, b) ← [⌊(a - 1) / 2⌋, ⌈(b + 1) / 2⌉)
    3×3 at stride 2, zeros after     [a, b) ← [2a, 2b + 1)

each cut off at the picture's border, where the layer pads with zeros just as it does for the whole picture. At a tile's
inner border it pads with zeros too; what that spoils lies outside [a, b) and is cropped before the next layer.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

Span: TypeAlias = tuple[int, int]
"""First and one past the last row or column."""
Scale: TypeAlias = Literal["same", "up", "down"]


@dataclass(frozen=True, slots=True)
class Layer:
    """A link of the chain: takes and gives (1, channels, 1, height, width)."""

    module: nn.Module
    takes: int
    """Channels of its input."""
    gives: int
    """Channels of its output."""
    reach: int
    """Rows that it looks at beyond an output row, on either side, where it keeps the resolution."""
    scale: Scale = "same"

    @property
    def channels(self) -> int:
        """The most channels that it holds at its finer resolution."""
        return max(self.takes, self.gives)

    def out_length(self, length: int) -> int:
        """Return how many rows come of *length* rows."""
        return {"same": length, "up": 2 * length, "down": length // 2}[self.scale]

    def source(self, span: Span, length: int) -> Span:
        """Return which of *length* input rows the output rows of *span* depend on."""
        first, last = span
        if self.scale == "up":
            wanted = ((first - 1) // 2, -(-(last + 1) // 2))
        elif self.scale == "down":
            wanted = (2 * first, 2 * last + 1)
        else:
            wanted = (first - self.reach, last + self.reach)
        return max(wanted[0], 0), min(wanted[1], length)

    def covered(self, span: Span) -> Span:
        """Return which output rows the layer gives when it is handed the input rows of *span*."""
        first, last = span
        return self.out_length(first), self.out_length(first) + self.out_length(last - first)


def spans(length: int, count: int) -> list[Span]:
    """Divide *length* rows into *count* spans as equal as can be."""
    edges = [length * number // count for number in range(count + 1)]
    return list(itertools.pairwise(edges))


def sources(layers: Sequence[Layer], span: Span, length: int) -> list[Span]:
    """Return the spans at the input of each layer, and at the end of the last, that *span* of the output depends on.

    Args:
        layers: the chain.
        span: rows of its output.
        length: rows of its input.
    """
    lengths = [length]
    for layer in layers:
        lengths.append(layer.out_length(lengths[-1]))
    needed = [span]
    for layer, rows in zip(reversed(layers), reversed(lengths[:-1]), strict=True):
        needed.append(layer.source(needed[-1], rows))
    return needed[::-1]


def run(layers: Sequence[Layer], x: Tensor) -> Tensor:
    """Run the chain over the whole of *x*."""
    for layer in layers:
        x = layer.module(x)
    return x


def run_tiled(layers: Sequence[Layer], x: Tensor, rows: int, columns: int) -> Tensor:
    """Run the chain over *x* in *rows* × *columns* tiles and return what `run` would."""
    height, width = x.shape[-2:]
    answer: Tensor | None = None
    for down, across in _tiles(layers, height, width, rows, columns):
        tile = _run_tile(layers, x, down, across)
        if answer is None:
            shape = (*tile.shape[:-2], _final(layers, height), _final(layers, width))
            answer = torch.empty(shape, dtype=tile.dtype, device=tile.device)
        answer[..., slice(*down[-1]), slice(*across[-1])] = tile
        # Its name would keep it until the next tile is done.
        del tile
    assert answer is not None
    return answer


def _tiles(
    layers: Sequence[Layer], height: int, width: int, rows: int, columns: int
) -> Iterator[tuple[list[Span], list[Span]]]:
    for down in spans(_final(layers, height), rows):
        for across in spans(_final(layers, width), columns):
            yield sources(layers, down, height), sources(layers, across, width)


def _run_tile(layers: Sequence[Layer], x: Tensor, down: Sequence[Span], across: Sequence[Span]) -> Tensor:
    """Compute one tile; *down* and *across* are its spans before each layer and after the last."""
    x = x[..., slice(*down[0]), slice(*across[0])]
    for layer, *place in zip(layers, down, down[1:], across, across[1:], strict=False):
        x = layer.module(x)
        rows, columns = (_within(place[axis + 1], layer.covered(place[axis])) for axis in (0, 2))
        x = x[..., rows, columns]
    return x


def _within(span: Span, covered: Span) -> slice:
    """Return where *span* lies in a tensor that holds *covered*."""
    return slice(span[0] - covered[0], span[1] - covered[0])


def _final(layers: Sequence[Layer], length: int) -> int:
    for layer in layers:
        length = layer.out_length(length)
    return length

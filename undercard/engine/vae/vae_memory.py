"""What the autoencoder takes for a picture, and the tiling of the least work that fits what is free."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from undercard.engine.vae.tiles import Layer, Span, sources, spans

Direction: TypeAlias = Literal["encode", "decode"]
Length: TypeAlias = tuple[int, int]
"""(height, width)."""

BYTES_PER_VALUE = {"same": 18.2, "up": 6.1, "down": 5.2}
"""Peak of a layer in bf16 beside its input, for each of its channels × pixels on its finer side; measured on an H100
with torch 2.11. Of a residual block's 18, 16 are one convolution's: its input padded to three frames, its output, and
both once more in cuDNN's own layout."""
SHORTCUT_BYTES = 2.5
"""More where a block changes the number of channels and adds its input through a convolution; measured likewise."""
VALUE_BYTES = 2
RESERVE = 0.9
"""Of the free bytes; the rest is lost between the blocks of torch's allocator."""
ROWS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
COLUMNS = (1, 2, 3, 4)
SMALLEST_TILE = 64
"""Pixels on a side; below, the halos are most of the work."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """Which layers run in tiles, and in how many."""

    split: int
    """Decoding, the layers from this one on run in tiles; encoding, those before it."""
    rows: int
    columns: int = 1

    @property
    def count(self) -> int:
        """How many tiles a picture has."""
        return self.rows * self.columns

    def __str__(self) -> str:
        if self.count == 1:
            return "whole"
        return f"in {self.rows} strips" if self.columns == 1 else f"in {self.rows} × {self.columns} tiles"


WHOLE = Tiling(split=0, rows=1)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a tiling takes."""

    tiling: Tiling
    peak_bytes: int
    """Activations, beside the weights."""
    work: float
    """Multiplications, over those of the whole picture."""


def fitting(direction: Direction, layers: Sequence[Layer], length: Length, free_bytes: int) -> Tiling:
    """Return the tiling of the least work that fits *free_bytes*, or the one of the lowest peak when none does.

    Args:
        direction: which way.
        layers: `vae.decoder_layers` or `vae.encoder_layers`.
        length: (height, width) of what goes in: latents to decode, pixels to encode.
        free_bytes: what activations may take.
    """
    choices = estimates(direction, tuple(layers), length)
    fit = [choice for choice in choices if choice.peak_bytes <= free_bytes * RESERVE]
    if not fit:
        return min(choices, key=lambda choice: choice.peak_bytes).tiling
    return min(fit, key=lambda choice: (choice.work, choice.tiling.count)).tiling


def smaller(direction: Direction, layers: Sequence[Layer], length: Length, failed: Tiling) -> Tiling | None:
    """Return what to try after *failed* ran out of memory: two thirds of its peak or less; None when nothing is."""
    peak = estimate(direction, layers, length, failed).peak_bytes
    choices = [choice for choice in estimates(direction, tuple(layers), length) if choice.peak_bytes <= peak * 2 / 3]
    return min(choices, key=lambda choice: (choice.work, choice.tiling.count)).tiling if choices else None


# A film's pictures are of one size, and looking at every tiling takes some tens of milliseconds.
@lru_cache(maxsize=64)
def estimates(direction: Direction, layers: tuple[Layer, ...], length: Length) -> tuple[Estimate, ...]:
    """Return what every tiling worth a thought takes, the whole picture first."""
    return tuple(
        estimate(direction, layers, length, tiling) for tiling in (WHOLE, *_tilings(direction, layers, length))
    )


def _tilings(direction: Direction, layers: Sequence[Layer], length: Length) -> Iterator[Tiling]:
    # Strips start or end where the resolution changes: in between, one more layer whole is nearly as large.
    edges = [number for number, layer in enumerate(layers) if layer.scale != "same"]
    lengths = _lengths(layers, length)
    height, width = max(lengths)
    for split in sorted({0, *edges, *(edge + 1 for edge in edges)} if direction == "decode" else {*edges, len(layers)}):
        for rows in ROWS:
            for columns in COLUMNS:
                # Columns only where strips alone are thin already: they add halos on two sides more.
                wide = columns == 1 or rows >= 2 * columns
                if rows > 1 and wide and height >= rows * SMALLEST_TILE and width >= columns * SMALLEST_TILE:
                    yield Tiling(split, rows, columns)


def estimate(direction: Direction, layers: Sequence[Layer], length: Length, tiling: Tiling) -> Estimate:
    """Predict what *tiling* takes; see `fitting` for the arguments."""
    lengths = _lengths(layers, length)
    values = [_values(layer, size) for layer, size in zip(layers, lengths, strict=False)]
    if tiling.count == 1:
        return Estimate(tiling, round(max(map(_bytes, layers, lengths))), 1.0)
    tiled = range(tiling.split, len(layers)) if direction == "decode" else range(tiling.split)
    part = [layers[number] for number in tiled]
    start = lengths[tiled.start]
    down, across = (_spans(part, start[axis], count) for axis, count in enumerate((tiling.rows, tiling.columns)))
    peaks = [_bytes(layers[number], lengths[number]) for number in range(len(layers)) if number not in tiled]
    # What goes into the tiles and what comes of them is there while they run.
    held = VALUE_BYTES * sum(_held(layers, lengths, number) for number in (tiled.start, tiled.stop))
    peaks += [
        held + _bytes(layer, (max(rows), max(columns))) for layer, rows, columns in zip(part, down, across, strict=True)
    ]
    # A convolution multiplies every value with one weight for each of its output channels.
    cost = [layer.gives * count for layer, count in zip(layers, values, strict=True)]
    again = [
        layer.gives * _values(layer, (sum(rows), sum(columns)))
        for layer, rows, columns in zip(part, down, across, strict=True)
    ]
    once = sum(cost[number] for number in range(len(layers)) if number not in tiled)
    return Estimate(tiling, round(max(peaks)), (once + sum(again)) / sum(cost))


def _lengths(layers: Sequence[Layer], length: Length) -> list[Length]:
    """Return the length before each layer, and after the last."""
    lengths = [length]
    for layer in layers:
        lengths.append((layer.out_length(lengths[-1][0]), layer.out_length(lengths[-1][1])))
    return lengths


def _spans(layers: Sequence[Layer], length: int, count: int) -> list[list[int]]:
    """Return for each layer how much of its input each of *count* tiles takes along one axis."""
    final = length
    for layer in layers:
        final = layer.out_length(final)
    tiles: list[list[Span]] = [sources(layers, span, length) for span in spans(final, count)]
    return [[tile[number][1] - tile[number][0] for tile in tiles] for number in range(len(layers))]


def _values(layer: Layer, length: Length) -> int:
    """Return the values that *layer* holds on its finer side, given its input's *length*."""
    return layer.channels * length[0] * length[1] * (4 if layer.scale == "up" else 1)


def _bytes(layer: Layer, length: Length) -> float:
    """Return the peak of *layer*, its input of *length* included."""
    # One convolution alone reaches 1, a residual block 2.
    shortcut = SHORTCUT_BYTES if layer.reach > 1 and layer.takes != layer.gives else 0.0
    inputs = VALUE_BYTES * layer.takes * length[0] * length[1]
    return inputs + (BYTES_PER_VALUE[layer.scale] + shortcut) * _values(layer, length)


def _held(layers: Sequence[Layer], lengths: Sequence[Length], number: int) -> int:
    """Return the values of what lies before layer *number*."""
    height, width = lengths[number]
    return (layers[number - 1].gives if number else layers[0].takes) * height * width

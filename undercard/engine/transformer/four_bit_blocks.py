"""The blocks of a nunchaku file as comfy-kitchen's kernels take them: in four bits all the way from disk."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from undercard.engine.files.checkpoint import Entry
from undercard.engine.files.nunchaku_file import AFTER_GELU, NunchakuFile, thirds_of
from undercard.engine.formats.svdq import GROUP
from undercard.engine.transformer.four_bits import FourBitLayout, Kernels, parts_of
from undercard.engine.transformer.transformer import PREFIX
from undercard.engine.weights.blocks import Place
from undercard.engine.weights.codecs import Plain
from undercard.errors import BadCheckpoint
from undercard.models.quantised_files import MODULATIONS

ALIGNMENT = 256
"""Bytes; as torch aligns what it allocates, since nobody says what the kernels rely on."""
Part = tuple[str, tuple[int, ...], torch.dtype]


@dataclass(frozen=True, slots=True)
class FourBitBlocks:
    """Reads the blocks of a nunchaku file into buffers that are computed with as they are."""

    file: NunchakuFile
    layout: FourBitLayout
    count: int
    layers: Sequence[str]
    """The file's names of a block's quantised layers, within the block."""
    files: Mapping[Path, Entry] = field(default_factory=dict)
    """None: every tensor is turned into another order when it is read."""

    def codec(self, _block: int) -> Plain:
        """Return the codec of what is used as it lies."""
        return Plain()

    def submit(self, pool: Executor, _files: Mapping[Path, int], block: int, target: Tensor) -> list[Future[None]]:
        """Begin to read *block* into *target*, uint8, (layout.size_bytes,), one layer of the file at a time."""
        return [pool.submit(self._make, block, layer, target) for layer in self.layers] + [
            pool.submit(self._read_vectors, block, target)
        ]

    # The target may have been made while a model computes, and only in this mode may such a tensor be written to.
    @torch.inference_mode()
    def _make(self, block: int, layer: str, target: Tensor) -> None:
        for part, value in parts_of(self.file.tensors(f"{PREFIX}{block}.{layer}")).items():
            self._put(target, f"{layer}.{part}", value)

    @torch.inference_mode()
    def _read_vectors(self, block: int, target: Tensor) -> None:
        for place in self.layout.places:
            if place.name.endswith(".weight"):
                self._put(target, place.name, self.file.checkpoint.read(f"{PREFIX}{block}.{place.name}"))

    def _put(self, target: Tensor, name: str, value: Tensor) -> None:
        here = self.layout.view(target, name)
        if here.shape != value.shape or (not value.dtype.is_floating_point and value.dtype != here.dtype):
            raise BadCheckpoint(
                f"{self.file.source}: {name} is {value.dtype} of {tuple(value.shape)}, not {here.dtype} of "
                f"{tuple(here.shape)}; fetch the file again"
            )
        here.copy_(value)


def four_bit_blocks(file: NunchakuFile, count: int, kernels: Kernels) -> FourBitBlocks:
    """Return a reader of the *count* blocks of *file*, which `stored_blocks.block_reader` has proved.

    Raises:
        BadCheckpoint: a layer lacks a tensor.
    """
    start = f"{PREFIX}0."
    layers = [
        name.removeprefix(start).removesuffix(".qweight")
        for name in file.checkpoint.entries
        if name.startswith(start) and name.endswith(".qweight")
    ]
    layers = [layer for layer in layers if not layer.endswith(MODULATIONS)]
    parts = [part for layer in layers for part in _parts(file, start, layer)]
    vectors = [
        (name.removeprefix(start), entry.shape, torch.bfloat16)
        for name, entry in file.checkpoint.entries.items()
        if name.startswith(start) and name.endswith(".weight")
    ]
    places, size_bytes = _laid_out([*parts, *vectors])
    layout = FourBitLayout(
        places=places,
        matrix_bytes=size_bytes,
        size_bytes=size_bytes,
        kernels=kernels,
        thirds=_thirds(layers),
        types={name: dtype for name, _, dtype in (*parts, *vectors)},
        after_gelu=frozenset(layer for layer in layers if layer.endswith(AFTER_GELU)),
    )
    return FourBitBlocks(file, layout, count, layers)


def _parts(file: NunchakuFile, start: str, layer: str) -> list[Part]:
    """Return name, shape and type of every part of a layer."""
    rows, half = file.checkpoint[f"{start}{layer}.qweight"].shape
    columns, rank = 2 * half, file.rank
    return [
        (f"{layer}.codes", (rows, half), torch.int8),
        (f"{layer}.scales", (columns // GROUP, rows), torch.bfloat16),
        (f"{layer}.smooth", (columns,), torch.bfloat16),
        (f"{layer}.down", (columns, rank), torch.bfloat16),
        (f"{layer}.up", (rows, rank), torch.bfloat16),
        (f"{layer}.bias", (rows,), torch.bfloat16),
    ]


def _laid_out(parts: Sequence[Part]) -> tuple[tuple[Place, ...], int]:
    """Return where each of *parts* lies in one buffer, and how long that is."""
    places, end = [], 0
    for name, shape, dtype in parts:
        size_bytes = math.prod(shape) * dtype.itemsize
        places.append(Place(name, shape, end, size_bytes))
        end = -(-(end + size_bytes) // ALIGNMENT) * ALIGNMENT
    return tuple(places), end


def _thirds(layers: Sequence[str]) -> dict[str, tuple[str, int, int]]:
    """Return diffusers' names of layers with the file's, and which of how many parts of its rows each one is."""
    found = {}
    for layer in layers:
        names = thirds_of(f".{layer}")
        for number, name in enumerate(names):
            found[name.removeprefix(".")] = (layer, number, len(names))
    return found

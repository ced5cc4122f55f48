"""How a whole block lies in host memory: as it is, packed without loss, or weight by weight in a storage format."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from undercard.engine.formats import Format, format_named
from undercard.engine.weights import packing
from undercard.engine.weights.blocks import ALIGNMENT, Layout


class Codec(Protocol):
    """Turns the flat bfloat16 buffer of a block into what is kept, and back, on the device of both."""

    @property
    def name(self) -> str:
        """`bf16`, `packed`, or the name of a storage format."""

    @property
    def exact(self) -> bool:
        """Whether it gives back every bit."""

    @property
    def plain(self) -> bool:
        """Whether what is kept is the buffer itself, so that nothing has to be decoded."""

    def capacity(self, layout: Layout) -> int:
        """Return the most bytes that a block can take."""

    def expected(self, layout: Layout) -> int:
        """Return the bytes that a block of trained weights takes."""

    def encode(self, layout: Layout, raw: Tensor, kept: Tensor) -> Tensor:
        """Fill *kept*, of `capacity` bytes, from *raw*, and return how many bytes of it are used, on its device.

        A block that this codec cannot hold uses 0 bytes: it must be kept as it is.
        """

    def decode(self, layout: Layout, kept: Tensor, raw: Tensor) -> None:
        """Fill *raw* from *kept*."""


@dataclass(frozen=True, slots=True)
class Plain:
    """The block as it is: bfloat16."""

    name: str = "bf16"
    exact: bool = True
    plain: bool = True

    def capacity(self, layout: Layout) -> int:
        """Return the buffer's own size."""
        return layout.size_bytes

    def expected(self, layout: Layout) -> int:
        """Return the buffer's own size."""
        return layout.size_bytes

    def encode(self, layout: Layout, raw: Tensor, kept: Tensor) -> Tensor:
        """Copy."""
        kept.copy_(raw)
        return torch.tensor(layout.size_bytes, device=kept.device)

    def decode(self, layout: Layout, kept: Tensor, raw: Tensor) -> None:
        """Copy."""
        raw.copy_(kept[: layout.size_bytes])


@dataclass(frozen=True, slots=True)
class Packed:
    """All matrices of the block packed without loss (see packing.py), the vectors as they are."""

    name: str = "packed"
    exact: bool = True
    plain: bool = False

    def capacity(self, layout: Layout) -> int:
        """Return what the vectors, the two planes and the longest list of escapes take."""
        return layout.size_bytes - layout.matrix_bytes + packing.capacity(layout.matrix_bytes // 2)

    def expected(self, layout: Layout) -> int:
        """Return the same with as many escapes as trained weights need."""
        return layout.size_bytes - layout.matrix_bytes + packing.typical(layout.matrix_bytes // 2)

    def encode(self, layout: Layout, raw: Tensor, kept: Tensor) -> Tensor:
        """Pack the matrices."""
        vectors = layout.size_bytes - layout.matrix_bytes
        kept[:vectors].copy_(raw[layout.matrix_bytes :])
        used = packing.pack(raw[: layout.matrix_bytes].view(torch.int16), kept[vectors:])
        return torch.where(used > 0, used + vectors, used)

    def decode(self, layout: Layout, kept: Tensor, raw: Tensor) -> None:
        """Unpack the matrices."""
        vectors = layout.size_bytes - layout.matrix_bytes
        raw[layout.matrix_bytes :].copy_(kept[:vectors])
        packing.unpack(kept[vectors:], raw[: layout.matrix_bytes].view(torch.int16))


@dataclass(frozen=True, slots=True)
class Weightwise:
    """Each matrix in a storage format, the vectors as they are."""

    format: Format
    exact: bool = False
    plain: bool = False
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.format.name)

    def capacity(self, layout: Layout) -> int:
        """Return where the last part ends."""
        return _parts(layout, self._format_of, None)[1]

    def expected(self, layout: Layout) -> int:
        """Return the same: every part has a fixed size."""
        return self.capacity(layout)

    def encode(self, layout: Layout, raw: Tensor, kept: Tensor) -> Tensor:
        """Encode matrix by matrix."""
        vectors = layout.size_bytes - layout.matrix_bytes
        kept[:vectors].copy_(raw[layout.matrix_bytes :])
        views, end = _parts(layout, self._format_of, kept)
        for name, parts in views.items():
            for part, value in self.format.encode(layout.view(raw, name)).items():
                parts[part].copy_(value)
        return torch.tensor(end, device=kept.device)

    def decode(self, layout: Layout, kept: Tensor, raw: Tensor) -> None:
        """Decode matrix by matrix."""
        _decode(layout, self._format_of, kept, raw)

    def _format_of(self, _name: str) -> Format:
        return self.format


@dataclass(frozen=True, slots=True)
class AsStored:
    """Each matrix of one block in the format that its file has it in; the vectors in bfloat16.

    Blocks of one file may differ: the mixes of llama.cpp keep a few layers in more bits than the others.
    """

    formats: Mapping[str, Format]
    """By the matrix's name within its block."""
    name: str = "stored"
    exact: bool = False
    plain: bool = False

    def capacity(self, layout: Layout) -> int:
        """Return where the last part ends."""
        return _parts(layout, self.formats.__getitem__, None)[1]

    def expected(self, layout: Layout) -> int:
        """Return the same: every part has a fixed size."""
        return self.capacity(layout)

    def encode(self, layout: Layout, raw: Tensor, kept: Tensor) -> Tensor:
        """Use nothing: what is stored was made elsewhere, and an altered block is kept as it is."""
        return torch.tensor(0, device=kept.device)

    def decode(self, layout: Layout, kept: Tensor, raw: Tensor) -> None:
        """Decode matrix by matrix."""
        _decode(layout, self.formats.__getitem__, kept, raw)

    def places(self, layout: Layout, kept: Tensor) -> dict[str, dict[str, Tensor]]:
        """Return where each parameter belongs in *kept*: a matrix's parts, and for a vector the one part `weight`."""
        vectors = {
            place.name: {"weight": kept[place.offset - layout.matrix_bytes :][: place.size_bytes].view(torch.bfloat16)}
            for place in layout.places
            if len(place.shape) == 1
        }
        return vectors | _parts(layout, self.formats.__getitem__, kept)[0]


def _decode(layout: Layout, format_of: Callable[[str], Format], kept: Tensor, raw: Tensor) -> None:
    vectors = layout.size_bytes - layout.matrix_bytes
    raw[layout.matrix_bytes :].copy_(kept[:vectors])
    for name, parts in _parts(layout, format_of, kept)[0].items():
        format_of(name).decode(parts, layout.view(raw, name))


def _parts(
    layout: Layout, format_of: Callable[[str], Format], kept: Tensor | None
) -> tuple[dict[str, dict[str, Tensor]], int]:
    """Return views of every matrix's parts in *kept*, after the vectors, and where the last one ends."""
    views: dict[str, dict[str, Tensor]] = {}
    offset = layout.size_bytes - layout.matrix_bytes
    for place in layout.matrices:
        parts: dict[str, Tensor] = {}
        for name, (shape, dtype) in format_of(place.name).parts((place.shape[0], place.shape[1])).items():
            offset = -(-offset // ALIGNMENT) * ALIGNMENT
            size = math.prod(shape) * dtype.itemsize
            if kept is not None:
                parts[name] = kept[offset : offset + size].view(dtype).view(shape)
            offset += size
        views[place.name] = parts
    return views, offset


def codec_named(name: str) -> Codec:
    """Return the codec called `bf16`, `packed`, or by the name of a storage format.

    Raises:
        BadInput: there is no such format.
    """
    if name == "bf16":
        return Plain()
    return Packed() if name == "packed" else Weightwise(format_named(name))

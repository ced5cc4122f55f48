"""A transformer from a file that is quantised already: its blocks as they lie there, and what lies around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from diffusers import QwenImageTransformer2DModel
from torch import Tensor, nn

from undercard.engine.files.checkpoint import Entry, as_memory, submit_reads
from undercard.engine.files.stored import StoredModel
from undercard.engine.formats import format_named
from undercard.engine.transformer.transformer import PREFIX, block_layout
from undercard.engine.weights import modulation
from undercard.engine.weights.blocks import Layout
from undercard.engine.weights.codecs import AsStored
from undercard.engine.weights.loading import reading
from undercard.errors import BadCheckpoint

AHEAD = 8
"""Pairs of the modulation's weights that are read while one is computed with; nunchaku's, 0.1 GB each, take longest."""


@dataclass(frozen=True)
class StoredBlocks:
    """Reads the blocks of a file of quantised weights into the buffers that `AsStored` decodes."""

    model: StoredModel
    layout: Layout
    codecs: Sequence[AsStored]
    """Of each block."""

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return len(self.codecs)

    @cached_property
    def files(self) -> Mapping[Path, Entry]:
        """One entry for each file that parts are read from as they lie."""
        names = [f"{PREFIX}{block}.{place.name}" for block in range(self.count) for place in self.layout.matrices]
        return {entry.path: entry for name in names for entry in self.model.lying(name).values()}

    def codec(self, block: int) -> AsStored:
        """Return what decodes *block*."""
        return self.codecs[block]

    def submit(self, pool: Executor, files: Mapping[Path, int], block: int, target: Tensor) -> list[Future[None]]:
        """Begin to read *block* into *target*, uint8, (codec(block).capacity(layout),).

        What lies in the file as its format has it is read straight to its place; the rest is made by the threads, one
        layer of the file at a time.
        """
        start = f"{PREFIX}{block}."
        places = {start + name: parts for name, parts in self.codecs[block].places(self.layout, target).items()}
        reads: list[Future[None]] = []
        for place in self.layout.matrices:
            for part, entry in self.model.lying(start + place.name).items():
                here = as_memory(places[start + place.name][part].view(-1).view(torch.uint8))
                if len(here) != entry.size_bytes:
                    raise BadCheckpoint(
                        f"{self.model.source}: {start}{place.name} has {entry.size_bytes} bytes, not {len(here)}; "
                        "fetch the file again"
                    )
                reads += submit_reads(pool, files, entry, here)
        return reads + [pool.submit(self._make, names, places) for names in self.model.together(places)]

    # The places may have been named while a model computes, and only in this mode may such views be written to.
    @torch.inference_mode()
    def _make(self, names: Sequence[str], places: Mapping[str, Mapping[str, Tensor]]) -> None:
        for name, parts in self.model.made(names):
            parameter = self.model.parameters[name]
            made = parts if len(parameter.shape) > 1 else {"weight": parameter.decoded(parts)}
            for part, value in made.items():
                target = places[name][part]
                if (value.shape, value.dtype) != (target.shape, target.dtype):
                    raise BadCheckpoint(
                        f"{self.model.source}: {part} of {name} is {value.dtype} of {tuple(value.shape)}, not "
                        f"{target.dtype} of {tuple(target.shape)} as the header promises; fetch the file again"
                    )
                target.copy_(value)


def block_reader(model: QwenImageTransformer2DModel, stored: StoredModel) -> StoredBlocks:
    """Return a reader of the blocks of *stored*.

    Args:
        model: from `transformer.skeleton`.
        stored: from `open_stored`.

    Raises:
        BadCheckpoint: it does not hold the blocks of *model*, or is of another release.
    """
    if stored.zero_cond_t not in {None, bool(model.config.zero_cond_t)}:
        ours, theirs = ("Edit-2511", "lacks") if stored.zero_cond_t else ("an earlier Edit than 2511", "has")
        raise BadCheckpoint(
            f"{stored.source} is of {ours}, and the config {theirs} zero_cond_t; take the config of the same release"
        )
    count, layout = len(model.transformer_blocks), block_layout(model)
    if f"{PREFIX}{count}.attn.to_q.weight" in stored.parameters:
        raise BadCheckpoint(f"{stored.source} has more than the {count} blocks that the config names")
    codecs = []
    for block in range(count):
        for place in layout.places:
            _require(stored, f"{PREFIX}{block}.{place.name}", place.shape)
        names = {place.name: stored.parameters[f"{PREFIX}{block}.{place.name}"].format for place in layout.matrices}
        codecs.append(AsStored({name: format_named(found) for name, found in names.items()}))
    return StoredBlocks(stored, layout, codecs)


def load_rest(model: QwenImageTransformer2DModel, stored: StoredModel, device: torch.device) -> None:
    """Bring to *device* what lies before and after the blocks, decoded there: 0.1 GB.

    Raises:
        BadCheckpoint: *stored* lacks a parameter, or has it in another shape.
    """
    wanted = {name: tuple(value.shape) for name, value in model.named_parameters() if not name.startswith(PREFIX)}
    for name, shape in wanted.items():
        _require(stored, name, shape)
    for name, parts in stored.read(wanted):
        value = stored.parameters[name].decoded({part: each.to(device) for part, each in parts.items()})
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, nn.Parameter(value, requires_grad=False))


@contextmanager
def modulation_weights(stored: StoredModel, count: int, device: torch.device) -> Iterator[modulation.Weights]:
    """Yield what gives the modulation's weights, decoded on *device*: pair by pair, read by threads a few ahead.

    Raises:
        BadCheckpoint: *stored* lacks one, or was cut short since it was opened.
    """
    names = [f"{PREFIX}{block}.{stream}_mod.1" for block in range(count) for stream in ("img", "txt")]
    with reading(AHEAD) as pool:

        def begin(number: int) -> Future[dict[str, dict[str, Tensor]]]:
            pair = [f"{names[number]}.{part}" for part in ("weight", "bias")]
            return pool.submit(lambda: dict(stored.read(pair)))

        reads: dict[int, Future[dict[str, dict[str, Tensor]]]] = {}

        def pair(block: int, stream: modulation.Stream) -> tuple[Tensor, Tensor]:
            number = 2 * block + (stream == "txt")
            for near in range(number, min(number + 1 + AHEAD, len(names))):
                if near not in reads:
                    reads[near] = begin(near)
            found = reads.pop(number).result()
            weight, bias = (
                stored.parameters[name].decoded({part: each.to(device) for part, each in parts.items()})
                for name, parts in (
                    (name, found[name]) for name in (f"{names[number]}.weight", f"{names[number]}.bias")
                )
            )
            return weight, bias

        yield pair


def _require(stored: StoredModel, name: str, shape: tuple[int, ...]) -> None:
    if name not in stored.parameters:
        raise BadCheckpoint(f"{stored.source} lacks the tensor {name!r}; it is another model's, or cut short")
    found = stored.parameters[name].shape
    if found != shape:
        raise BadCheckpoint(f"{stored.source}: {name} is {found}, not {shape}; it is another model's")

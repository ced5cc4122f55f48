"""A Qwen-Image transformer in a GGUF file: what its tensors are called, how they lie and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from undercard.engine.files.checkpoint import Checkpoint, Entry, opened, read_into
from undercard.engine.files.stored import Parameter, known
from undercard.engine.formats import format_named
from undercard.models.file_marks import ZERO_COND_T, edit_2511
from undercard.models.headers import Described, plain_name
from undercard.models.quantised_files import open_gguf_header


@dataclass(frozen=True, slots=True)
class GgufFile:
    """The tensors of a file under diffusers' names."""

    path: Path
    parameters: Mapping[str, Parameter]
    entries: Mapping[str, Entry]
    """Where the ggml blocks of each lie: uint8 (N, bytes of a row), the one part of its format."""
    zero_cond_t: bool | None

    @property
    def source(self) -> Path:
        """The file."""
        return self.path

    def read(self, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield parameters with their parts, as `StoredModel.read` does."""
        for name in known(self.path, self.parameters, names):
            entry = self.entries[name]
            blocks = torch.empty(entry.shape, dtype=torch.uint8)
            with opened([entry]) as files:
                read_into(files, entry, blocks.view(-1).numpy().data)
            yield name, {"blocks": blocks}

    def lying(self, name: str) -> Mapping[str, Entry]:
        """Return where the blocks of a matrix are: the one part that it has."""
        return {"blocks": self.entries[name]}

    def made(self, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield the vectors among *names*."""
        return self.read(name for name in names if len(self.parameters[name].shape) == 1)

    def together(self, names: Iterable[str]) -> list[list[str]]:
        """Return one group: vectors are small."""
        return [list(names)]

    def digest(self) -> str:
        """Return a key that other weights do not share."""
        return Checkpoint(self.path, self.entries).digest()


def open_gguf(path: Path) -> GgufFile:
    """Read the header of the file at *path*; no tensor is read.

    Raises:
        BadCheckpoint: it is no GGUF file, another architecture's, or holds a type that no format here decodes.
    """
    header = open_gguf_header(path)
    found = {plain_name(name): place for name, place in header.tensors.items()}
    found.pop(ZERO_COND_T, None)
    parameters = {name: Parameter(_format(place), place.shape) for name, place in found.items()}
    entries = {name: _entry(path, parameters[name], place) for name, place in found.items()}
    return GgufFile(path, parameters, entries, edit_2511(header))


def _format(place: Described) -> str:
    return f"gguf-{place.dtype.lower().replace('_', '-')}"


def _entry(path: Path, parameter: Parameter, place: Described) -> Entry:
    ((shape, dtype),) = format_named(parameter.format).parts(parameter.matrix).values()
    return Entry(path, place.offset, place.size_bytes, dtype, shape)

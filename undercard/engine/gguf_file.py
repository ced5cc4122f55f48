"""A Qwen-Image transformer in a GGUF file: what its tensors are called, how they lie and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from undercard.engine.checkpoint import Checkpoint, Entry, opened, read_into
from undercard.engine.formats import format_named, names
from undercard.engine.stored import ZERO_COND_T, Parameter, known, plain_name
from undercard.errors import BadCheckpoint

if TYPE_CHECKING:
    from gguf import GGUFReader
    from gguf.gguf_reader import ReaderTensor

ARCHITECTURE = "qwen_image"
RESHAPED = "comfy.gguf.orig_shape."
"""Before the names of tensors that were reshaped until their rows held whole blocks; Qwen-Image has none."""


@dataclass(frozen=True, slots=True)
class GgufFile:
    """The tensors of a file under diffusers' names."""

    path: Path
    parameters: Mapping[str, Parameter]
    entries: Mapping[str, Entry]
    """Where the ggml blocks of each lie: uint8 (N, bytes of a row), the one part of its format."""
    zero_cond_t: bool

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
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        field = reader.get_field("general.architecture")
        architecture = field.contents() if field else None
    except OSError as exc:
        raise BadCheckpoint(f"{path} cannot be read: {exc.strerror or exc}; give the path of a GGUF file") from exc
    except (ValueError, KeyError, IndexError) as exc:
        # The reader's own errors are these, and a file cut short ends in an index beyond its end.
        raise BadCheckpoint(f"{path} is no whole GGUF file ({exc}); fetch it again") from exc
    _check_model(path, architecture, reader)
    found = {plain_name(tensor.name): tensor for tensor in reader.tensors}
    zero_cond_t = found.pop(ZERO_COND_T, None) is not None
    parameters = {name: _parameter(path, name, tensor) for name, tensor in found.items()}
    entries = {name: _entry(path, parameters[name], tensor) for name, tensor in found.items()}
    return GgufFile(path, parameters, entries, zero_cond_t)


def _check_model(path: Path, architecture: object, reader: GGUFReader) -> None:
    if architecture != ARCHITECTURE:
        raise BadCheckpoint(
            f"{path} holds the architecture {architecture!r}; only {ARCHITECTURE!r} can be rendered with"
        )
    if reshaped := [key.removeprefix(RESHAPED) for key in reader.fields if key.startswith(RESHAPED)]:
        raise BadCheckpoint(f"{path} holds {reshaped[0]!r} in another shape than the model's; use another conversion")


def _parameter(path: Path, name: str, tensor: ReaderTensor) -> Parameter:
    type_name = tensor.tensor_type.name
    storage = f"gguf-{type_name.lower().replace('_', '-')}"
    if storage not in names():
        decoded = ", ".join(each for each in names() if each.startswith("gguf-"))
        raise BadCheckpoint(f"{path}: {name!r} is stored as {type_name}; only {decoded} are decoded")
    # ggml counts dimensions from the innermost.
    return Parameter(storage, tuple(int(size) for size in reversed(tensor.shape.tolist())))


def _entry(path: Path, parameter: Parameter, tensor: ReaderTensor) -> Entry:
    ((shape, dtype),) = format_named(parameter.format).parts(parameter.matrix).values()
    return Entry(path, int(tensor.data_offset), int(tensor.n_bytes), dtype, shape)

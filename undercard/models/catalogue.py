"""The catalogue of models: every checkpoint that can be rendered with, where it comes from and what belongs with it.

`data/models.toml` is the catalogue; see there for what its words mean. What is present is another matter:
undercard/models/presence.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from undercard.errors import UnknownModel

KINDS = frozenset({".safetensors", ".gguf", ".json", ".txt", ".jinja"})
"""What is ever fetched or loaded: no pickle, which may run whatever its author wished."""
COMFYUI = "comfyui"
"""The backend whose files lie in folders of ComfyUI's own."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
Edition = Literal["2509", "2511"]


class Layout(StrEnum):
    """How a model's weights lie in its files; all but `DIFFUSERS` are one file."""

    DIFFUSERS = "diffusers"
    """A folder with a part each: transformer, text encoder, autoencoder, processor."""
    GGUF = "gguf"
    FP8_LIGHTX2V = "fp8-lightx2v"
    """8-bit floats with a scale for each row."""
    FP8_COMFYUI = "fp8-comfyui"
    """8-bit floats with a scale for each layer."""
    FP8_PLAIN = "fp8-plain"
    """8-bit floats without scales."""
    BF16 = "bf16"
    """A transformer in one file, as it was trained."""
    SVDQ_INT4 = "svdq-int4"
    SVDQ_FP4 = "svdq-fp4"
    LORA = "lora"
    TEXT_ENCODER = "comfyui-text-encoder"
    VAE = "comfyui-vae"


TRANSFORMERS = frozenset(
    {Layout.GGUF, Layout.FP8_LIGHTX2V, Layout.FP8_COMFYUI, Layout.SVDQ_INT4, Layout.SVDQ_FP4, Layout.BF16}
)


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileSpec(_Entry):
    """A file of a repository, or all that a pattern names."""

    path: str = Field(min_length=1)
    """From the repository's root; `*` stands for anything but `/`."""
    bytes: int | None = Field(default=None, gt=0)
    """Of all of them together, where that is known for the revision."""
    about_bytes: int | None = Field(default=None, gt=0)
    """Where it is not."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    part: Literal["transformer"] | None = None
    """Weights that are left out where a kit brings a transformer of its own."""

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.path.startswith("/") or "\\" in self.path or ".." in self.path.split("/"):
            raise ValueError("should name a file below the repository's root")
        if PurePosixPath(self.path).suffix not in KINDS:
            raise ValueError(f"should end in one of {', '.join(sorted(KINDS))}: nothing else is ever loaded, no pickle")
        if (self.bytes is None) == (self.about_bytes is None):
            raise ValueError("should have either `bytes` or `about_bytes`")
        if self.sha256 is not None and ("*" in self.path or self.bytes is None):
            raise ValueError("should have `bytes` and no `*`, since it has a sha256")
        return self

    @property
    def size_bytes(self) -> int:
        """What it takes on disk, as far as that is known."""
        return self.bytes or self.about_bytes or 0

    def matches(self, path: str) -> bool:
        """Say whether *path* is of these files."""
        own, other = self.path.split("/"), path.split("/")
        return len(own) == len(other) and all(
            fnmatchcase(part, pattern) for part, pattern in zip(other, own, strict=True)
        )


class ModelSpec(_Entry):
    """One checkpoint."""

    name: Name
    title: str = Field(min_length=1)
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field(pattern=r"^(main|[0-9a-f]{40})$")
    """A commit; or `main`, which the first fetch resolves to one that is kept in models.lock."""
    licence: str = Field(min_length=1)
    layout: Layout
    or_layout: Layout | None = None
    """Where it is not known for certain which of two it is, and both can be rendered with."""
    files: tuple[FileSpec, ...] = Field(min_length=1)
    edition: Edition | None = None
    """Of Qwen-Image-Edit; None for what all have in common."""
    blocks: int | None = Field(default=None, gt=0)
    """Transformer blocks that a file or folder of it holds."""
    quantisation: str | None = None
    """Of a GGUF file, such as `Q4_K_M`."""
    rank: int | None = Field(default=None, gt=0)
    """Of the low-rank part of an SVDQuant file, or of a LoRA's factors."""
    pairs: int | None = Field(default=None, gt=0)
    """Layers that a LoRA changes."""
    steps: Literal[4, 8] | None = None
    """That a LoRA is made for, or that were fused into a transformer."""
    strength: float | None = Field(default=None, gt=0)
    """What a LoRA is multiplied by."""
    least_capability: str | None = Field(default=None, pattern=r"^\d+\.\d$")
    """Smallest CUDA compute capability of a card that computes with it; None where any does."""
    comfyui: str | None = Field(default=None, pattern=r"^[a-z_]+$")
    """The folder below ComfyUI's `models` that it belongs in."""
    quality: str = ""
    """What is known about its pictures."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.layout is Layout.LORA and (self.steps is None or self.strength is None):
            raise ValueError("should have `steps` and `strength`, since it is a LoRA")
        if self.layout in TRANSFORMERS | {Layout.DIFFUSERS} and (self.edition is None or self.blocks is None):
            raise ValueError("should have `edition` and `blocks`, since it holds a transformer")
        if self.layout is Layout.GGUF and self.quantisation is None:
            raise ValueError("should have `quantisation`, since it is a GGUF file")
        if self.layout in {Layout.SVDQ_INT4, Layout.SVDQ_FP4} and self.rank is None:
            raise ValueError("should have `rank`, since it is SVDQuant's")
        if self.layout is not Layout.DIFFUSERS and (len(self.files) != 1 or "*" in self.files[0].path):
            raise ValueError(f"should have one file without `*`, since its layout is {self.layout}")
        return self

    @property
    def is_folder(self) -> bool:
        """It is a folder of several parts, not one file."""
        return self.layout is Layout.DIFFUSERS

    @property
    def file(self) -> FileSpec:
        """The file of a model that is one."""
        assert not self.is_folder
        return self.files[0]

    @property
    def file_name(self) -> str:
        """What the file of a model that is one is called."""
        return PurePosixPath(self.file.path).name

    def wanted(self, *, without_transformer: bool = False) -> tuple[FileSpec, ...]:
        """Return its files, or those that are needed beside a transformer of another file."""
        return tuple(file for file in self.files if not (without_transformer and file.part == "transformer"))


class KitSpec(_Entry):
    """What a backend renders with: one of each kind that is named, the first of several being the one to fetch."""

    backends: tuple[Name, ...] = Field(min_length=1)
    base: Name | None = None
    """Folder in diffusers' layout; without its transformer's weights where `transformer` names others."""
    transformer: tuple[Name, ...] = ()
    lora: tuple[Name, ...] = ()
    """Lightning, by which 4 or 8 steps are enough; none where the transformer has it fused in."""
    also: tuple[Name, ...] = ()
    """What else is needed, all of it."""

    def names(self) -> Iterator[str]:
        """Yield the name of every model in it."""
        yield from (*((self.base,) if self.base else ()), *self.transformer, *self.lora, *self.also)


class Catalogue(_Entry):
    """All models, and the kits that they make."""

    model: tuple[ModelSpec, ...] = ()
    kit: tuple[KitSpec, ...] = ()

    def named(self, name: str) -> ModelSpec:
        """Return the model called *name*.

        Raises:
            UnknownModel: there is none.
        """
        for found in self.model:
            if found.name == name:
                return found
        raise UnknownModel(f"model {name!r} does not exist; use one of {', '.join(each.name for each in self.model)}")

    def backends(self) -> tuple[str, ...]:
        """Return the backends that need models, each once."""
        return tuple(dict.fromkeys(name for kit in self.kit for name in kit.backends))

    def kits(self, backend: str) -> tuple[KitSpec, ...]:
        """Return the kits of *backend*, the one to prefer first; none for a backend that needs no models."""
        return tuple(kit for kit in self.kit if backend in kit.backends)

    def edition(self, kit: KitSpec) -> Edition | None:
        """Return the edition of Qwen-Image-Edit that *kit* renders with."""
        return next((found for name in kit.names() if (found := self.named(name).edition)), None)

"""A Qwen-Image transformer in a nunchaku int4 file, under diffusers' names and in diffusers' conventions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from undercard.engine.files.checkpoint import Checkpoint, Entry
from undercard.engine.files.stored import Parameter, as_bf16, known
from undercard.engine.formats import _nunchaku
from undercard.engine.formats.svdq import kept_rank
from undercard.errors import BadCheckpoint
from undercard.models.headers import safetensors_header
from undercard.models.quantised_files import MODULATIONS, TILE, svdq

FUSED = {
    "attn.to_qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "attn.add_qkv_proj": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}
"""Projections that lie in one tensor, and what diffusers calls its thirds."""
AFTER_GELU = ("img_mlp.net.2", "txt_mlp.net.2")


@dataclass(frozen=True, slots=True)
class NunchakuFile:
    """The tensors of a file, read when they are asked for."""

    checkpoint: Checkpoint
    parameters: Mapping[str, Parameter]
    layers: Mapping[str, str]
    """From diffusers' name of a quantised parameter to the layer of the file that holds it."""
    config: Mapping[str, object]
    """Of the transformer, as diffusers' `QwenImageTransformer2DModel` takes it."""
    rank: int
    """Of the correction that every quantised layer has."""

    @property
    def source(self) -> Path:
        """The file."""
        return self.checkpoint.source

    @property
    def zero_cond_t(self) -> bool:
        """As the config says; nunchaku itself overlooks it."""
        return bool(self.config.get("zero_cond_t", False))

    def read(self, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield parameters with their parts, as `StoredModel.read` does; each layer of the file is read once."""
        wanted = known(self.checkpoint.source, self.parameters, names)
        for layer in dict.fromkeys(self.layers[name] for name in wanted if name in self.layers):
            found = self._layer(layer)
            yield from ((name, found[name]) for name in wanted if name in found)
        yield from ((name, as_bf16(self.checkpoint.read(name))) for name in wanted if name not in self.layers)

    def lying(self, _name: str) -> Mapping[str, Entry]:
        """Return nothing: its tensors lie in the order of nunchaku's kernels."""
        return {}

    def made(self, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield all parts."""
        return self.read(names)

    def together(self, names: Iterable[str]) -> list[list[str]]:
        """Return a group for each layer of the file, and one for what is in none."""
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(self.layers.get(name, ""), []).append(name)
        return list(groups.values())

    def digest(self) -> str:
        """Return a key that other weights do not share."""
        return self.checkpoint.digest()

    def tensors(self, layer: str) -> dict[str, Tensor]:
        """Read the tensors of one *layer* of the file, in the order of nunchaku's kernels, by their last names."""
        start = f"{layer}."
        stored = [name for name in self.checkpoint.entries if name.startswith(start)]
        return {name.removeprefix(start): self.checkpoint.read(name) for name in stored}

    def _layer(self, layer: str) -> dict[str, dict[str, Tensor]]:
        tensors = self.tensors(layer)
        if layer.endswith(MODULATIONS):
            weight, bias = _nunchaku.modulation(tensors)
            return {f"{layer}.weight": as_bf16(weight), f"{layer}.bias": as_bf16(bias)}
        whole = _nunchaku.linear(tensors, after_gelu=layer.endswith(AFTER_GELU))
        thirds = thirds_of(layer)
        rows = len(whole.bias) // len(thirds)
        found: dict[str, dict[str, Tensor]] = {}
        for number, third in enumerate(thirds):
            part = whole.rows(number * rows, (number + 1) * rows)
            found |= {f"{third}.weight": part.parts, f"{third}.bias": as_bf16(part.bias)}
        return found


def open_nunchaku(checkpoint: Checkpoint) -> NunchakuFile:
    """Tell what *checkpoint* holds, by its header; no tensor is read.

    Raises:
        BadCheckpoint: it is not nunchaku's, quantised otherwise than to int4, or a layer has an odd shape.
    """
    described = svdq(safetensors_header(checkpoint.source))
    parameters: dict[str, Parameter] = {}
    layers: dict[str, str] = {}
    for layer in [name.removesuffix(".qweight") for name in checkpoint.entries if name.endswith(".qweight")]:
        made = _parameters(checkpoint, layer, described.rank)
        parameters |= made
        layers |= dict.fromkeys(made, layer)
    owners = set(layers.values())
    for name, entry in checkpoint.entries.items():
        if name.rpartition(".")[0] not in owners:
            parameters[name] = Parameter("bf16", entry.shape)
    return NunchakuFile(checkpoint, parameters, layers, described.config, described.rank)


def _parameters(checkpoint: Checkpoint, layer: str, rank: int) -> dict[str, Parameter]:
    entry = checkpoint[f"{layer}.qweight"]
    if len(entry.shape) != 2:
        raise BadCheckpoint(f"{checkpoint.source}: {layer}.qweight is {entry.shape}; a layer has rows and columns")
    columns = entry.shape[1] * 2
    if layer.endswith(MODULATIONS):
        rows = entry.shape[0] * _nunchaku.AWQ_ROWS
        return {f"{layer}.weight": Parameter("bf16", (rows, columns)), f"{layer}.bias": Parameter("bf16", (rows,))}
    if entry.shape[0] % TILE or columns % TILE:
        raise BadCheckpoint(
            f"{checkpoint.source}: {layer} is {entry.shape[0]} × {columns}; nunchaku packs tiles of {TILE} × {TILE}"
        )
    thirds = thirds_of(layer)
    rows = entry.shape[0] // len(thirds)
    found: dict[str, Parameter] = {}
    for third in thirds:
        found[f"{third}.weight"] = Parameter(f"svdq-int4-r{kept_rank(rank)}", (rows, columns))
        found[f"{third}.bias"] = Parameter("bf16", (rows,))
    return found


def thirds_of(layer: str) -> tuple[str, ...]:
    """Return the layers of diffusers that *layer* of the file holds, in the order of its rows."""
    for fused, names in FUSED.items():
        if layer.endswith(f".{fused}"):
            return tuple(layer.removesuffix(fused) + name for name in names)
    return (layer,)

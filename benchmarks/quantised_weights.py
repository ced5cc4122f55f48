"""Writes the transformer of a bf16 checkpoint as the quantised files that people fetch, tensor by tensor.

    python -m benchmarks.quantised_weights CHECKPOINT [gguf fp8-lightning nunchaku]

GGUF in the mix of Q4_K_M, 8-bit floats with a scale a row as LightX2V writes them, and nunchaku's int4 with rank 32:
the true layouts, so speed and memory are those of the published files. Encoded by plain rounding, on the card if there
is one, so errors are a little larger than theirs.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from benchmarks import kquants, svdq_packing
from undercard.engine.files.checkpoint import DTYPES, Checkpoint, open_checkpoint
from undercard.engine.files.nunchaku_file import AFTER_GELU, FUSED
from undercard.models.file_marks import ZERO_COND_T

NAMES = {
    "gguf": "edit-Q4_K_M.gguf",
    "fp8-lightning": "edit_fp8_e4m3fn_scaled.safetensors",
    "nunchaku": "svdq-int4_r32-edit.safetensors",
}
"""File of each quantised backend."""
RANK = 32
RESERVED_BYTES = 1 << 20
"""For the header of a safetensors file, which is written last: 4,100 tensors take half of it."""
BETTER = re.compile(r"\.(attn\.to_v|attn\.add_v_proj|img_mlp\.net\.2|txt_mlp\.net\.2)\.weight$")
"""Layers that the mix Q4_K_M keeps in Q6_K in some blocks."""
LARGEST = 448.0
"""Of e4m3."""


def file_of(checkpoint: Path, backend: str) -> Path:
    """Return where the file of *backend* belongs that is made of *checkpoint*."""
    return checkpoint.with_name(f"{checkpoint.name}-quantised") / NAMES[backend]


def write(checkpoint: Path, backend: str) -> Path:
    """Write the file of *backend* unless it is there, and return its path."""
    path = file_of(checkpoint, backend)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        config = json.loads((checkpoint / "transformer" / "config.json").read_text("utf-8"))
        source = open_checkpoint(checkpoint / "transformer")
        with torch.inference_mode():
            {"gguf": _gguf, "fp8-lightning": _fp8, "nunchaku": _nunchaku}[backend](source, config, partial)
        partial.rename(path)
    return path


def _read(source: Checkpoint, name: str) -> Tensor:
    return source.read(name).to("cuda" if torch.cuda.is_available() else "cpu")


def _in_blocks(source: Checkpoint, name: str) -> bool:
    return name.startswith("transformer_blocks.") and len(source[name].shape) == 2


def _gguf(source: Checkpoint, config: dict[str, Any], path: Path) -> None:
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.constants import GGML_QUANT_SIZES

    types = {name: GGMLQuantizationType[_type(source, name, config["num_layers"])] for name in source.entries}
    writer = GGUFWriter(path, arch="qwen_image")
    for name, kind in types.items():
        weights, size = GGML_QUANT_SIZES[kind]
        *outer, columns = source[name].shape
        shape = (*outer, columns // weights * size)
        floats = kind in {GGMLQuantizationType.F32, GGMLQuantizationType.BF16}
        stored = np.dtype(np.float32 if kind == GGMLQuantizationType.F32 else np.uint8)
        count = int(np.prod(shape))
        writer.add_tensor_info(
            name, source[name].shape if floats and stored != np.uint8 else shape, stored, count, kind
        )
    if config.get("zero_cond_t"):
        # ComfyUI takes it for a buffer without elements, and refuses any other shape.
        writer.add_tensor_info(ZERO_COND_T, (0,), np.dtype(np.float32), 0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, kind in types.items():
        writer.write_tensor_data(_ggml(_read(source, name), kind.name).cpu().numpy())
    if config.get("zero_cond_t"):
        writer.write_tensor_data(np.zeros(0, np.float32))
    writer.close()


def _type(source: Checkpoint, name: str, blocks: int) -> str:
    """Return the type of a tensor as llama.cpp's Q4_K_M has it: some layers of some blocks in more bits."""
    if len(source[name].shape) == 1:
        return "F32"
    if not _in_blocks(source, name):
        return "BF16"
    number = int(name.split(".")[1])
    # llama.cpp's use_more_bits: the first and the last eighth, and every third between.
    more = number < blocks // 8 or number >= 7 * blocks // 8 or (number - blocks // 8) % 3 == 2
    return "Q6_K" if more and BETTER.search(name) else "Q4_K"


def _ggml(value: Tensor, type_name: str) -> Tensor:
    if type_name == "F32":
        return value.float()
    return value.view(torch.uint8) if type_name == "BF16" else kquants.encode(type_name, value)


def _fp8(source: Checkpoint, _config: dict[str, Any], path: Path) -> None:
    with _Safetensors(path) as file:
        for name in source.entries:
            value = _read(source, name)
            if not _in_blocks(source, name):
                file.add(name, value)
                continue
            scale = (value.abs().amax(1, keepdim=True).float() / LARGEST).clamp(min=1e-12)
            file.add(name, (value.float() / scale).to(torch.float8_e4m3fn))
            file.add(name.removesuffix("weight") + "weight_scale", scale)


def _nunchaku(source: Checkpoint, config: dict[str, Any], path: Path) -> None:
    quantised = {"method": "svdquant", "weight": {"dtype": "int4", "scale_dtype": None, "group_size": 64}, "rank": RANK}
    described = {**config, "_class_name": "NunchakuQwenImageTransformer2DModel"}
    metadata = {"config": json.dumps(described), "quantization_config": json.dumps(quantised)}
    with _Safetensors(path, metadata) as file:
        for layer, names in _layers(source):
            weight, bias = (torch.cat([_read(source, f"{name}.{part}") for name in names]) for part in PARTS)
            made = (
                svdq_packing.awq_modulation(weight, bias)
                if layer.endswith("_mod.1")
                else svdq_packing.svdq_layer(weight, bias, RANK, after_gelu=layer.endswith(AFTER_GELU))
            )
            for part, value in made.items():
                file.add(f"{layer}.{part}", value)
        for name in source.entries:
            if not name.startswith("transformer_blocks.") or ".norm_" in name:
                file.add(name, _read(source, name))


PARTS = ("weight", "bias")


def _layers(source: Checkpoint) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the layers of nunchaku's file, with diffusers' layers whose rows each one holds."""
    fused = {names[0]: (layer, names) for layer, names in FUSED.items()}
    others = {name for names in FUSED.values() for name in names[1:]}
    for name in source.entries:
        if not _in_blocks(source, name):
            continue
        start, number, within = name.removesuffix(".weight").split(".", 2)
        if within in fused:
            layer, names = fused[within]
            yield f"{start}.{number}.{layer}", tuple(f"{start}.{number}.{each}" for each in names)
        elif within not in others:
            yield f"{start}.{number}.{within}", (f"{start}.{number}.{within}",)


class _Safetensors:
    """A safetensors file that is written one tensor after another; its header comes last, into room that was left."""

    def __init__(self, path: Path, metadata: dict[str, str] | None = None) -> None:
        self._file = path.open("wb")
        self._header: dict[str, object] = {"__metadata__": {"format": "pt", **(metadata or {})}}
        self._end = 0
        self._file.seek(8 + RESERVED_BYTES)

    def add(self, name: str, value: Tensor) -> None:
        """Write one tensor."""
        content = value.contiguous().cpu()
        self._file.write(content.view(-1).view(torch.uint8).numpy().data)
        start, self._end = self._end, self._end + content.nbytes
        dtype = next(known for known, each in DTYPES.items() if each == content.dtype)
        self._header[name] = {"dtype": dtype, "shape": list(content.shape), "data_offsets": [start, self._end]}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            text = json.dumps(self._header).encode().ljust(RESERVED_BYTES)
            assert len(text) == RESERVED_BYTES
            self._file.seek(0)
            self._file.write(len(text).to_bytes(8, "little") + text)
        self._file.close()


def main() -> None:
    """Write the files that the command line asks for, and say how long each took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="a folder of benchmarks.engine_weights")
    parser.add_argument("backends", nargs="*", metavar="BACKEND", help=f"of {', '.join(NAMES)}; all if left out")
    given = parser.parse_args()
    for backend in given.backends or NAMES:
        started = time.perf_counter()
        path = write(given.checkpoint, backend)
        print(f"{path}: {path.stat().st_size / 1e9:.2f} GB in {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()

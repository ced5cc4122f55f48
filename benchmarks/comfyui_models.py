"""Writes the files that ComfyUI renders Qwen-Image-Edit-2511 with, of a random checkpoint, into its folder `models`.

    python -m benchmarks.comfyui_models CHECKPOINT MODELS [--bf16]

The transformer as GGUF in Q4_K_M's mix, the text encoder and the autoencoder in bf16, under the names and in the
layouts of the published files; with `--bf16` the transformer in bf16 too, which the benchmark compares the other with.
What lies in one file already is linked to.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import quantised_weights
from undercard.models.headers import safetensors_header

GGUF = "qwen-image-edit-2511-Q4_K_M.gguf"
BF16 = "qwen_image_edit_2511_bf16.safetensors"
TEXT_ENCODER, VAE = "qwen_2.5_vl_7b.safetensors", "qwen_image_vae.safetensors"
PIECE_BYTES = 1 << 28
"""What a thread copies at a time."""
COPIERS = 8

# The autoencoder is Wan 2.1's, in the layout of Wan's own code (wan/modules/vae.py): layers are numbered
# in the order in which they are called, and a residual block is norm, SiLU, convolution, and, after a second norm and
# SiLU, dropout and another convolution.
BLOCK_PARTS = {
    "norm1": "residual.0",
    "conv1": "residual.2",
    "norm2": "residual.3",
    "conv2": "residual.6",
    "conv_shortcut": "shortcut",
}
OUTSIDE = {
    "quant_conv": "conv1",
    "post_quant_conv": "conv2",
    "conv_in": "conv1",
    "norm_out": "head.0",
    "conv_out": "head.2",
    "mid_block.attentions.0": "middle.1",
}
BLOCKS_A_LEVEL = 4
"""Of the decoder: three residual blocks, and what enlarges after them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one file that go into another."""

    source: Path
    start: int
    end: int
    to: int


def write_models(checkpoint: Path, models: Path, *, bf16: bool = False) -> None:
    """Write the files that are not there yet.

    Args:
        checkpoint: folder of benchmarks.engine_weights, with a text encoder.
        models: ComfyUI's folder of that name.
        bf16: the transformer in bf16 as well.
    """
    transformers = models / "diffusion_models"
    linked(quantised_weights.write(checkpoint, "gguf"), transformers / GGUF)
    if bf16:
        one_file(checkpoint / "transformer", transformers / BF16)
    one_file(checkpoint / "text_encoder", models / "text_encoders" / TEXT_ENCODER)
    if not (models / "vae" / VAE).exists():
        _write_vae(checkpoint / "vae", models / "vae" / VAE)


def linked(source: Path, out: Path) -> None:
    """Let *out* be a link to *source*."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    out.symlink_to(source.resolve())


def one_file(folder: Path, out: Path) -> None:
    """Let *out* hold all tensors of the safetensors files in *folder*, under their names."""
    shards = sorted(folder.glob("*.safetensors"))
    if len(shards) == 1:
        linked(shards[0], out)
    elif not out.exists():
        _join(shards, out)


def wans_name(name: str) -> str:
    """Return what Wan's own code calls the autoencoder's tensor that diffusers calls *name*."""
    if name.startswith(("quant_conv.", "post_quant_conv.")):
        module, leaf = name.split(".")
        return f"{OUTSIDE[module]}.{leaf}"
    half, rest = name.split(".", 1)
    for theirs, wans in OUTSIDE.items():
        if rest.startswith(f"{theirs}."):
            return f"{half}.{wans}{rest.removeprefix(theirs)}"
    if found := re.fullmatch(r"mid_block\.resnets\.(\d)\.(\w+)\.(\w+)", rest):
        # The attention lies between the two.
        return f"{half}.middle.{2 * int(found[1])}.{BLOCK_PARTS[found[2]]}.{found[3]}"
    if found := re.fullmatch(r"down_blocks\.(\d+)\.(.+)", rest):
        return f"{half}.downsamples.{found[1]}.{_in_block(found[2])}"
    if found := re.fullmatch(r"up_blocks\.(\d)\.resnets\.(\d)\.(.+)", rest):
        number = BLOCKS_A_LEVEL * int(found[1]) + int(found[2])
        return f"{half}.upsamples.{number}.{_in_block(found[3])}"
    if found := re.fullmatch(r"up_blocks\.(\d)\.upsamplers\.0\.(.+)", rest):
        return f"{half}.upsamples.{BLOCKS_A_LEVEL * (int(found[1]) + 1) - 1}.{found[2]}"
    raise ValueError(f"{name!r} is no tensor of the autoencoder")


def _in_block(name: str) -> str:
    module, _, leaf = name.rpartition(".")
    return f"{BLOCK_PARTS.get(module, module)}.{leaf}"


def _write_vae(folder: Path, out: Path) -> None:
    from safetensors.torch import load_file, save_file

    out.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: value for file in folder.glob("*.safetensors") for name, value in load_file(file).items()}
    save_file({wans_name(name): value for name, value in tensors.items()}, out)


def _join(shards: list[Path], out: Path) -> None:
    """Copy the tensors of *shards* one after another, as they lie, with one directory of all of them before."""
    directory: dict[str, object] = {"__metadata__": {"format": "pt"}}
    spans: list[tuple[Path, int, int]] = []
    held = 0
    for shard in shards:
        tensors = safetensors_header(shard).tensors
        start = min(each.offset for each in tensors.values())
        for name, each in tensors.items():
            begin = held + each.offset - start
            directory[name] = {
                "dtype": each.dtype,
                "shape": list(each.shape),
                "data_offsets": [begin, begin + each.size_bytes],
            }
        end = shard.stat().st_size
        spans.append((shard, start, end))
        held += end - start
    text = json.dumps(directory).encode()
    text += b" " * (-len(text) % 8)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    with partial.open("wb") as opened:
        opened.write(len(text).to_bytes(8, "little") + text)
        opened.truncate(8 + len(text) + held)
    with ThreadPoolExecutor(COPIERS) as pool:
        for _ in pool.map(lambda piece: _copy(piece, partial), _pieces(spans, 8 + len(text))):
            pass
    partial.rename(out)


def _pieces(spans: list[tuple[Path, int, int]], to: int) -> Iterator[Piece]:
    for source, start, end in spans:
        for at in range(start, end, PIECE_BYTES):
            until = min(at + PIECE_BYTES, end)
            yield Piece(source, at, until, to)
            to += until - at


def _copy(piece: Piece, out: Path) -> None:
    with piece.source.open("rb") as source, out.open("r+b") as file:
        file.seek(piece.to)
        at = piece.start
        while at < piece.end:
            at += os.sendfile(file.fileno(), source.fileno(), at, piece.end - at)


def main() -> None:
    """Write the files that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="a folder of engine_weights, text encoder too")
    parser.add_argument("models", type=Path, help="ComfyUI's folder of that name")
    parser.add_argument("--bf16", action="store_true", help="the transformer in bf16 too, 41 GB unless it is one file")
    given = parser.parse_args()
    started = time.perf_counter()
    write_models(given.checkpoint, given.models, bf16=given.bf16)
    print(f"{given.models}: written in {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()

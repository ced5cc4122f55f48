"""Writes a checkpoint of Qwen-Image-Edit-2511's sizes with random weights, in diffusers' layout.

    python -m benchmarks.engine_weights OUT [--text-encoder] [--one-file] [--tiny | --blocks N]

Speed and memory do not depend on the values. 41 GB for the transformer, 0.25 GB for the VAE, 16.6 GB for the text
encoder if it is asked for. A folder in memory (/dev/shm) or in the page cache is what the benchmark reads from.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.engine_models import (
    INDEX,
    SCHEDULER,
    TINY_LANGUAGE,
    TINY_TRANSFORMER,
    TRANSFORMER,
    Component,
    text_encoder_component,
    transformer_component,
    vae_component,
    write_tokenizer,
)

SHARD_BYTES = 10_000_000_000
"""The published checkpoint's shards are of this size."""
WRITERS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where one tensor lies."""

    file: Path
    offset_bytes: int
    """From the start of the file."""
    name: str
    shape: tuple[int, ...]


def write_checkpoint(
    out: Path,
    *,
    text_encoder: bool = False,
    tiny: bool = False,
    blocks: int | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write a checkpoint to *out*; a folder that holds a whole one is left as it is.

    Args:
        out: the checkpoint's folder.
        text_encoder: write Qwen2.5-VL and a byte-level tokenizer too.
        tiny: the same layout with two blocks of 256 channels, for a dry run.
        blocks: only so many of the transformer's blocks, each of 0.68 GB, and a tiny text encoder.
        shard_bytes: most that a file of weights holds.
    """
    index = dict(INDEX) if text_encoder else dict(INDEX) | dict.fromkeys(("text_encoder", "tokenizer", "processor"))
    whole = json.dumps({name: value or [None, None] for name, value in index.items()}, indent=2)
    # The index is written last, so a folder with the right one is whole.
    if (out / "model_index.json").exists() and (out / "model_index.json").read_text() == whole:
        return
    transformer = TINY_TRANSFORMER if tiny else TRANSFORMER
    if blocks is not None:
        transformer = TRANSFORMER | {"num_layers": blocks, "joint_attention_dim": TINY_LANGUAGE["hidden_size"]}
    components = [transformer_component(transformer), vae_component(tiny=tiny)]
    if text_encoder:
        tiny_encoder = tiny or blocks is not None
        vocabulary = write_tokenizer(out, tiny=tiny_encoder)
        components.append(text_encoder_component(vocabulary, tiny=tiny_encoder))
    for component in components:
        _write_component(out / component.folder, component, shard_bytes)
    _write_json(out / "scheduler" / "scheduler_config.json", SCHEDULER)
    (out / "model_index.json").write_text(whole)


def _write_component(folder: Path, component: Component, shard_bytes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", component.config)
    shards = _shards(component.shapes, shard_bytes)
    names = [
        f"{component.stem}.safetensors"
        if len(shards) == 1
        else f"{component.stem}-{number:05}-of-{len(shards):05}.safetensors"
        for number in range(1, len(shards) + 1)
    ]
    places = [place for name, shard in zip(names, shards, strict=True) for place in _lay_out(folder / name, shard)]
    if len(shards) > 1:
        weight_map = {place.name: place.file.name for place in places}
        total = sum(_bytes_of(place.shape) for place in places)
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        _write_json(folder / f"{component.stem}.safetensors.index.json", index)
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(_fill, places):
            pass


def _shards(shapes: Mapping[str, tuple[int, ...]], most_bytes: int) -> list[dict[str, tuple[int, ...]]]:
    """Return the tensors in order, cut where the next would make a file larger than *most_bytes*."""
    shards: list[dict[str, tuple[int, ...]]] = [{}]
    filled = 0
    for name, shape in shapes.items():
        if filled and filled + _bytes_of(shape) > most_bytes:
            shards.append({})
            filled = 0
        shards[-1][name] = shape
        filled += _bytes_of(shape)
    return shards


def _lay_out(file: Path, shapes: Mapping[str, tuple[int, ...]]) -> Iterable[Place]:
    """Write the header of a safetensors file, and return where its tensors belong.

    safetensors' own writer takes whole files from memory, one after another; placed by hand, every thread writes where
    it likes. The format: u64 length of the header, the header in JSON, the bytes
    (https://huggingface.co/docs/safetensors/index#format).
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    starts: dict[str, int] = {}
    end = 0
    for name, shape in shapes.items():
        starts[name], end = end, end + _bytes_of(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [starts[name], end]}
    text = json.dumps(header).encode()
    # Padded with blanks so that the tensors begin at a multiple of 8, as the format asks of writers.
    text += b" " * (-len(text) % 8)
    with file.open("wb") as opened:
        opened.write(len(text).to_bytes(8, "little") + text)
        opened.truncate(8 + len(text) + end)
    return [Place(file, 8 + len(text) + starts[name], name, shape) for name, shape in shapes.items()]


def _fill(place: Place) -> None:
    """Write random values to where *place* says."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # Seeded by name, so that the values do not depend on which thread comes first.
    generator = torch.Generator(device).manual_seed(zlib.crc32(place.name.encode()))
    values = torch.empty(place.shape, dtype=torch.bfloat16, device=device)
    if max(place.shape) == values.numel():
        # What has one axis is a bias, or the gain of a norm.
        values.normal_(0, 0.01, generator=generator)
        if place.name.endswith(("weight", "gamma")):
            values.add_(1)
    else:
        values.normal_(0, 0.02, generator=generator)
    content = values.cpu().view(torch.uint8).flatten().numpy().data
    file = os.open(place.file, os.O_WRONLY)
    try:
        done = 0
        while done < len(content):
            done += os.pwrite(file, content[done:], place.offset_bytes + done)
    finally:
        os.close(file)


def _bytes_of(shape: tuple[int, ...]) -> int:
    return 2 * math.prod(shape)


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2))


def main() -> None:
    """Write the checkpoint that the command line asks for, and say how long it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--text-encoder", action="store_true", help="write Qwen2.5-VL 7B too, 16.6 GB")
    parser.add_argument("--one-file", action="store_true", help="each part in one file, as ComfyUI reads it")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--tiny", action="store_true", help="the same layout, a few MB")
    size.add_argument("--blocks", type=int, help="blocks of the transformer, with a tiny text encoder; all by default")
    given = parser.parse_args()
    started = time.perf_counter()
    write_checkpoint(
        given.out,
        text_encoder=given.text_encoder,
        tiny=given.tiny,
        blocks=given.blocks,
        shard_bytes=sys.maxsize if given.one_file else SHARD_BYTES,
    )
    written = sum(path.stat().st_size for path in given.out.rglob("*") if path.is_file())
    print(f"{given.out}: {written / 1e9:.2f} GB in {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
